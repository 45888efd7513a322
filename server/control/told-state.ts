import { changeBetween } from '../../lib/protocol/change.ts';
import type { StateUpdate } from '../../lib/protocol/events.ts';
import type { State } from '../../lib/protocol/state.ts';

/** What the viewers were told last: most of a state is as it was half a second before. */
export class ToldState {
  #n = 0;
  #state: State | null = null;

  /** The next one, as what has changed since the one before. */
  next(state: State): StateUpdate {
    // A copy, as it will arrive: the parts of a state may be changed in place by who owns them.
    const told = JSON.parse(JSON.stringify(state)) as State;
    const before = this.#state;
    this.#state = told;
    this.#n++;
    return before ? { n: this.#n, change: changeBetween(before, told) ?? {} } : { n: this.#n, whole: told };
  }

  /** The last one, for who does not have the one before it; null when nobody was told for a while. */
  whole(): StateUpdate | null {
    return this.#state && { n: this.#n, whole: this.#state };
  }

  /** Nobody looks: who comes next begins anew. */
  forget(): void {
    this.#state = null;
  }
}
