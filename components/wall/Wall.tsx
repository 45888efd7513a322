'use client';

import { useEffect } from 'react';
import { FaultHatch } from '../charts/FaultHatch.tsx';
import { useSockets } from '../frame/use-sockets.ts';
import { Announcer } from '../palette/Announcer.tsx';
import { useHaltKeys } from '../palette/use-halt-keys.ts';
import { Ribbon } from '../ribbon/Ribbon.tsx';
import { useView } from '../stores/view-store.ts';
import { WallAnswers } from './WallAnswers.tsx';
import { WallFoot } from './WallFoot.tsx';
import { WallHead } from './WallHead.tsx';
import { WallServices } from './WallServices.tsx';

/** Under this name a wall is listed among who looks. */
const NAME = 'Wall';

/** For the room: nothing to press but the way to stop, nothing smaller than 18 px, the gravest things largest. */
export function Wall() {
  useHaltKeys();
  useSockets(NAME);
  useEffect(() => useView.setState({ frozenAt: null, markAt: null }), []); // a wall shows the present
  return (
    <div
      className="flex min-h-dvh flex-col gap-3 p-4 text-[20px] leading-snug wide:h-dvh wide:overflow-hidden"
      data-testid="wall"
    >
      <FaultHatch />
      <WallHead />
      <main className="flex min-h-0 flex-1 flex-col gap-3">
        <WallAnswers />
        <WallServices />
        <div className="max-wide:hidden">
          <Ribbon breakersMax={3} controls="none" scale={2} />
        </div>
      </main>
      <WallFoot />
      <Announcer />
    </div>
  );
}
