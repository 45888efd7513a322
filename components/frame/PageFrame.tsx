'use client';

import { ArrowLeft } from 'lucide-react';
import dynamic from 'next/dynamic';
import Link from 'next/link';
import type { ReactNode } from 'react';
import { HaltedBanner } from '../banner/HaltedBanner.tsx';
import { ModeBanner } from '../banner/ModeBanner.tsx';
import { Announcer } from '../palette/Announcer.tsx';
import { Overlays } from '../palette/Overlays.tsx';
import { TopBar } from '../top-bar/TopBar.tsx';
import { useSockets } from './use-sockets.ts';

const Toasts = dynamic(() => import('../palette/Toasts.tsx'), { ssr: false });

interface PageFrameProps {
  /** Stands after the way back to the console. */
  title: ReactNode;
  /** Beside the title: where else to go. */
  aside?: ReactNode;
  children: ReactNode;
}

/** What every page beside the console has: live, mode, ledger and HALT on top, the keys, and the way back. */
export function PageFrame({ title, aside, children }: PageFrameProps) {
  useSockets();
  return (
    <div className="flex min-h-dvh flex-col gap-1.5 p-2">
      <div className="sticky top-0 z-20 -mx-2 -mt-2 flex flex-col gap-1.5 border-b border-line bg-ground px-2 pt-2 pb-1">
        <TopBar />
        <ModeBanner />
        <HaltedBanner />
      </div>
      <main className="flex min-w-0 flex-1 flex-col gap-1.5">
        <div className="flex flex-wrap items-center gap-x-3 gap-y-1.5">
          <Link className="small-button" data-testid="to-console" href="/" prefetch={false}>
            <ArrowLeft aria-hidden="true" size={13} /> Console
          </Link>
          <h2 className="flex items-center gap-2 text-[15px] font-semibold">{title}</h2>
          {aside}
        </div>
        {children}
      </main>
      <Overlays />
      <Announcer />
      <Toasts />
    </div>
  );
}
