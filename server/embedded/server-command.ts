/** How to start one of the servers that are not ours. */
export interface ServerCommand {
  command: string;
  args: string[];
  cwd: string;
  /** @default the environment of this process */
  env?: Record<string, string>;
  /** Signal that makes it stop cleanly and at once. */
  stopSignal: NodeJS.Signals;
}
