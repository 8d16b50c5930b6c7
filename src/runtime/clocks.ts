/**
 * The two clocks: `now` is monotonic, for deadlines; `wallClock` is milliseconds since 1970, for
 * certificates, sessions and sign-in.
 */
export interface Clocks {
  now(): number
  wallClock(): number
}
