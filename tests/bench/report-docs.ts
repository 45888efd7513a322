import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '#tests/support/system.ts';
import type { BenchRatio, BenchReport } from './measure.ts';
import { describeMachine, type Machine } from './report-machine.ts';
import { round } from './report-print.ts';

export const DOCS_FILE = join(ROOT, 'docs', 'benchmarks.md');

const HEAD = `# Benchmarks

Written by \`npm run bench\`; do not edit. \`npm run bench -- NAME --write-docs\` measures one part again and replaces its section, \`npm run bench\` all of them (under 30 minutes; each under 5).

Rivals are measured in the same run, in turn with ours, round after round, so that a change of the machine's speed meets all of them. A figure is the median of its rounds, with the least and the greatest; a ratio is one of such figures over another. A target that is missed says so, and its cause stands under the figures. A load far above 0 before a part began means that others used the processors: its figures are worse than the machine's.
`;

/** A part as it was run. */
export interface MeasuredPart {
  report: BenchReport;
  tookSeconds: number;
  /** Processes that wanted to run when it began, mean of a minute. */
  loadBefore: number;
}

/** A section with the marks by which a later run finds it and counts its targets. */
interface Section {
  part: string;
  met: number;
  targets: number;
  machine: string;
  text: string;
}

const MARK = /^<!-- part: (\S+); (\d+) of (\d+); (.*) -->$/;

/** The document with these parts measured anew; others stay as `before` has them. `order` is that of the sections. */
export function benchmarkDocs(
  before: string,
  reports: readonly MeasuredPart[],
  machine: Machine,
  order: readonly string[],
): string {
  const sections = new Map(sectionsOf(before).map((section) => [section.part, section]));
  for (const measured of reports) sections.set(measured.report.part, sectionFor(measured, machine));
  const kept = order.map((part) => sections.get(part)).filter((section) => section !== undefined);
  const table = kept.map(
    ({ part, met, targets, machine: where }) =>
      `| [\`${part}\`](#${part}) | ${targets === 0 ? 'none' : `${met} of ${targets}`} | ${where} |`,
  );
  return [
    HEAD,
    '| part | targets met | measured |\n|---|---|---|',
    ...table,
    '',
    ...kept.map(
      ({ part, met, targets, machine: where, text }) =>
        `<!-- part: ${part}; ${met} of ${targets}; ${where} -->\n${text}\n`,
    ),
  ].join('\n');
}

/** Puts these parts into `docs/benchmarks.md`. */
export function writeBenchmarkDocs(
  reports: readonly MeasuredPart[],
  machine: Machine,
  order: readonly string[],
): void {
  const before = existsSync(DOCS_FILE) ? readFileSync(DOCS_FILE, 'utf8') : '';
  writeFileSync(DOCS_FILE, benchmarkDocs(before, reports, machine, order));
}

function sectionsOf(text: string): Section[] {
  const sections: Section[] = [];
  for (const line of text.split('\n')) {
    const mark = MARK.exec(line);
    const last = sections.at(-1);
    if (mark) {
      const [, part = '', met, targets, machine = ''] = mark;
      sections.push({ part, met: Number(met), targets: Number(targets), machine, text: '' });
    } else if (last) last.text += `${line}\n`;
  }
  return sections.map((section) => ({ ...section, text: section.text.trimEnd() }));
}

function sectionFor(measured: MeasuredPart, machine: Machine): Section {
  const { report } = measured;
  const judged = report.ratios.filter(({ met }) => met !== null);
  return {
    part: report.part,
    met: judged.filter(({ met }) => met).length,
    targets: judged.length,
    machine: `${machine.date}, commit ${machine.commit}`,
    text: sectionText(measured, machine),
  };
}

function sectionText({ report, tookSeconds, loadBefore }: MeasuredPart, machine: Machine): string {
  const { part, what, measurements, ratios, rivals = {}, found = [] } = report;
  const list = (title: string, lines: string[]) =>
    lines.length === 0 ? [] : ['', `${title}:`, '', ...lines];
  return [
    `## ${part}`,
    '',
    `${sentence(what)} Measured ${machine.date} at commit ${machine.commit} in ${Math.round(tookSeconds)} s on ${describeMachine(machine)}, at a load of ${round(loadBefore)} before it began.`,
    ...(ratios.length === 0
      ? []
      : ['', '| compared | value | target | |', '|---|---|---|---|', ...ratios.map(ratioRow)]),
    ...list(
      'How the rivals were set up',
      Object.entries(rivals).map(([name, how]) => `- **${name}**: ${how}`),
    ),
    ...list(
      'What was found',
      found.map((text) => `- ${text}`),
    ),
    '',
    '<details><summary>All figures</summary>',
    '',
    '| measured | median | least–greatest | unit | rounds |',
    '|---|---|---|---|---|',
    ...measurements.map(
      ({ name, unit, median, min, max, rounds }) =>
        `| ${cell(name)} | ${round(median)} | ${round(min)}–${round(max)} | ${cell(unit)} | ${rounds} |`,
    ),
    '',
    '</details>',
  ].join('\n');
}

function ratioRow({ name, value, target, met }: BenchRatio): string {
  const verdict = met === null ? '' : met ? 'met' : '**missed**';
  return `| ${cell(name)} | ${round(value)} | ${met === null ? '' : cell(target)} | ${verdict} |`;
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|');
}

function sentence(text: string): string {
  const first = text.charAt(0).toUpperCase();
  return `${first}${text.slice(1)}${text.endsWith('.') ? '' : '.'}`;
}
