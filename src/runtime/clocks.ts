/**
 * The two clocks: `now` is monotonic, for deadlines; `wallClock` is milliseconds since 1970, for
 * certificates, sessions and sign-in.
 */
export interface Clocks {
  now(): number
  wallClock(): number
}

/** The runtime's own clocks: what is used where none are given. */
export const systemClocks: Clocks = {
  now: () => performance.now(),
  wallClock: () => Date.now(),
}
