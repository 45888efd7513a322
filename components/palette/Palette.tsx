'use client';

import { Command } from 'cmdk';
import { useRouter } from 'next/navigation';
import { Dialog } from 'radix-ui';
import { startFault, startPreset, stopFaults } from '../desk/fault-commands.ts';
import { presetFaults, presetService } from '../desk/switch-state.ts';
import { inSentence, typeWords } from '../faults/fault-words.ts';
import { PAGES, SERVICE_PAGES } from '../frame/pages.ts';
import { haltAll } from '../halt-command.ts';
import { toLive, zoomTo } from '../history/time-travel.ts';
import { useCatalogue } from '../stores/catalogue-store.ts';
import { faultKey, useFaults } from '../stores/faults-store.ts';
import { toggleTheme, useView, WINDOWS_MS } from '../stores/view-store.ts';
import { toggleFreeze } from '../top-bar/TopBar.tsx';
import { ModalFrame } from '../visual/Modal.tsx';

const close = () => useView.setState({ overlay: null });
function act(action: () => unknown): () => void {
  return () => {
    close();
    action();
  };
}

const ITEM =
  'flex items-center gap-2 rounded px-2 py-1.5 cursor-pointer data-[selected=true]:bg-raised data-[selected=true]:ring-1 data-[selected=true]:ring-line-strong';
const GROUP =
  '[&_[cmdk-group-heading]]:text-[11px] [&_[cmdk-group-heading]]:font-semibold [&_[cmdk-group-heading]]:text-muted [&_[cmdk-group-heading]]:px-2 [&_[cmdk-group-heading]]:py-1.5';

/** Everything by name. */
export default function Palette() {
  const catalogue = useCatalogue((store) => store.catalogue);
  const faults = useFaults((store) => store.faults) ?? [];
  const router = useRouter();
  const titles = new Map(catalogue?.types.map(({ type, title }) => [type, title]));
  return (
    <ModalFrame className="top-[14vh] w-[min(36rem,92vw)] overflow-hidden">
      <Dialog.Title className="sr-only">Command palette</Dialog.Title>
      <Command label="Command palette">
        <Command.Input
          className="w-full border-b border-line bg-transparent px-4 py-3 text-[15px] outline-none"
          placeholder="Break, stop, find…"
        />
        <Command.List className="max-h-[50vh] overflow-y-auto p-1.5">
          <Command.Empty className="px-3 py-4 text-muted">Nothing by that name.</Command.Empty>
          <Command.Group className={GROUP} heading="Console">
            <Command.Item className={ITEM} onSelect={act(haltAll)}>
              Halt everything
            </Command.Item>
            <Command.Item className={ITEM} onSelect={act(toggleFreeze)}>
              Freeze or unfreeze the picture
            </Command.Item>
            <Command.Item className={ITEM} onSelect={act(toggleTheme)}>
              Switch theme
            </Command.Item>
            <Command.Item className={ITEM} onSelect={() => useView.setState({ overlay: 'help' })}>
              Keys and help
            </Command.Item>
            <Command.Item className={ITEM} onSelect={() => useView.setState({ overlay: 'note' })}>
              Write a note
            </Command.Item>
            <Command.Item className={ITEM} onSelect={act(toLive)}>
              Jump to live
            </Command.Item>
            {WINDOWS_MS.map((windowMs) => (
              <Command.Item className={ITEM} key={windowMs} onSelect={act(() => zoomTo(windowMs))}>
                Time axis: {windowMs / 60_000} min
              </Command.Item>
            ))}
          </Command.Group>
          <Command.Group className={GROUP} heading="Go to">
            {[...PAGES, ...SERVICE_PAGES].map(({ href, title }) => (
              <Command.Item className={ITEM} key={href} onSelect={act(() => router.push(href))}>
                {title}
              </Command.Item>
            ))}
          </Command.Group>
          {faults.length > 0 && (
            <Command.Group className={GROUP} heading="Stop">
              {faults.map((fault) => (
                <Command.Item
                  className={ITEM}
                  key={fault.id}
                  onSelect={act(() => stopFaults([fault.id], faultKey(fault.service, fault.type)))}
                >
                  Stop {fault.service} {inSentence(fault.title)}
                </Command.Item>
              ))}
            </Command.Group>
          )}
          {catalogue && (
            <Command.Group className={GROUP} heading="Presets">
              {catalogue.presets
                .filter((preset) => !presetFaults(preset, faults, catalogue))
                .map((preset) => (
                  <Command.Item
                    className={ITEM}
                    key={preset.name}
                    onSelect={act(() => startPreset(preset.name))}
                  >
                    Break {presetService(preset) ?? 'several'}: {inSentence(preset.title)}
                    <span className="ml-auto text-[11px] text-faint">{preset.name}</span>
                  </Command.Item>
                ))}
            </Command.Group>
          )}
          {catalogue && (
            <Command.Group className={GROUP} heading="Faults with defaults">
              {catalogue.services.flatMap((service) =>
                service.types
                  .filter(
                    (type) => !faults.some((fault) => fault.service === service.name && fault.type === type),
                  )
                  .map((type) => (
                    <Command.Item
                      className={ITEM}
                      key={faultKey(service.name, type)}
                      keywords={[type, type.replaceAll('_', ' ')]}
                      onSelect={act(() => startFault({ service: service.name, type }))}
                    >
                      {service.title}: {typeWords({ type, title: titles.get(type) })}
                    </Command.Item>
                  )),
              )}
            </Command.Group>
          )}
        </Command.List>
      </Command>
    </ModalFrame>
  );
}
