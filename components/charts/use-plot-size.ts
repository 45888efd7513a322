import { type RefObject, useEffect, useRef, useState } from 'react';

export interface PlotSize {
  width: number;
  height: number;
}

/** Size of an element in whole pixels, by our own observer; null until it is laid out or while it is hidden. */
export function usePlotSize<E extends HTMLElement>(): [RefObject<E | null>, PlotSize | null] {
  const element = useRef<E>(null);
  const [size, setSize] = useState<PlotSize | null>(null);
  useEffect(() => {
    const node = element.current;
    if (!node) return;
    const observer = new ResizeObserver(([entry]) => {
      if (!entry) return;
      const width = Math.floor(entry.contentRect.width);
      const height = Math.floor(entry.contentRect.height);
      setSize((old) => {
        if (width === 0 || height === 0) return null;
        return old?.width === width && old.height === height ? old : { width, height };
      });
    });
    observer.observe(node);
    return () => observer.disconnect();
  }, []);
  return [element, size];
}
