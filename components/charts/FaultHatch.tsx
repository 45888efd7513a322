/** The hatch of what we broke, for every drawing of the page; once on each page. */
export function FaultHatch() {
  return (
    <svg aria-hidden="true" className="absolute size-0">
      <defs>
        <pattern
          height="8"
          id="fault-hatch"
          patternTransform="rotate(45)"
          patternUnits="userSpaceOnUse"
          width="8"
        >
          <rect fill="var(--hatch)" height="8" width="4" />
        </pattern>
      </defs>
    </svg>
  );
}
