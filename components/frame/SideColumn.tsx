import type { ReactNode } from 'react';

interface SideColumnProps {
  /** What we do to it: beside the rest on wide screens, above it on narrow ones. */
  first: ReactNode;
  children: ReactNode;
  /** Under `first` on wide screens, last on narrow ones. */
  last: ReactNode;
}

/** A broad column and a narrow one; on a phone what is abnormal comes first. */
export function SideColumn({ first, children, last }: SideColumnProps) {
  return (
    <div className="grid gap-1.5 wide:grid-cols-[minmax(0,1fr)_336px] wide:grid-rows-[auto_1fr]">
      <div className="flex min-w-0 flex-col gap-1.5 wide:col-start-2 wide:row-start-1">{first}</div>
      <div className="flex min-w-0 flex-col gap-1.5 wide:col-start-1 wide:row-span-2 wide:row-start-1">
        {children}
      </div>
      <div className="flex min-w-0 flex-col gap-1.5 wide:col-start-2 wide:row-start-2">{last}</div>
    </div>
  );
}
