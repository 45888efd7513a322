/** SQL beyond this is neither looked at nor kept. */
export const MAX_SQL_BYTES = 8 * 1024;
/** Statements that are remembered; beyond it the oldest is forgotten. */
const MAX_STATEMENTS = 1000;

/** What a client's prepared statements say, by name, so that their use can be matched. One forgotten has no text. */
export class StatementTexts {
  readonly #texts = new Map<string, string>();

  set(name: string, sql: string): void {
    if (this.#texts.size >= MAX_STATEMENTS) {
      const oldest = this.#texts.keys().next().value;
      if (oldest !== undefined) this.#texts.delete(oldest);
    }
    this.#texts.set(name, sql.slice(0, MAX_SQL_BYTES));
  }

  of(name: string): string {
    return this.#texts.get(name) ?? '';
  }

  delete(name: string): void {
    this.#texts.delete(name);
  }
}
