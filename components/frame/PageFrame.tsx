'use client';

import type { ReactNode } from 'react';
import { HaltedBanner } from '../banner/HaltedBanner.tsx';
import { ModeBanner } from '../banner/ModeBanner.tsx';
import { Announcer } from '../palette/Announcer.tsx';
import { LazyToasts } from '../palette/LazyToasts.tsx';
import { Overlays } from '../palette/Overlays.tsx';
import { TopBar } from '../top-bar/TopBar.tsx';
import { PageLinks } from './PageLinks.tsx';
import { useSockets } from './use-sockets.ts';

interface PageFrameProps {
  /** Of the page, where the link to it does not say enough. */
  title?: ReactNode;
  /** Beside the title: where else to go. */
  aside?: ReactNode;
  /** On wide screens it is as high as the window, and its parts scroll. @default false */
  fill?: boolean;
  children: ReactNode;
}

/** What every page beside the console has: live, mode, ledger and HALT on top, the keys, and the way to the others. */
export function PageFrame({ title, aside, fill = false, children }: PageFrameProps) {
  useSockets();
  return (
    <div
      className={`flex min-h-dvh flex-col gap-1.5 p-2 ${fill ? 'wide:h-dvh wide:min-h-[760px] wide:overflow-hidden' : ''}`}
    >
      <div
        className={`sticky top-0 z-20 -mx-2 flex flex-col gap-1.5 border-b border-line bg-ground px-2 pb-1 ${fill ? 'max-wide:-mt-2 max-wide:pt-2 wide:static' : '-mt-2 pt-2'}`}
      >
        <TopBar />
        <ModeBanner />
        <HaltedBanner />
      </div>
      <main className="flex min-h-0 min-w-0 flex-1 flex-col gap-1.5">
        <div className="flex flex-wrap items-center gap-x-3 gap-y-1.5">
          <PageLinks className="basis-full wide:hidden" />
          {title && <h2 className="flex items-center gap-2 text-[15px] font-semibold">{title}</h2>}
          {aside}
        </div>
        {children}
      </main>
      <Overlays />
      <Announcer />
      <LazyToasts />
    </div>
  );
}
