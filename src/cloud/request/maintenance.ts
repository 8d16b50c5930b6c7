/**
 * What whoever asks for an application in maintenance is told.
 *
 * @see docs/publishing.md
 * @module
 */
import { timeOf, type Maintenance } from '../directory/maintenance.ts'
import { OWN_ANSWERS } from '../pages/own-answers.ts'
import type { OwnAnswer } from './edge-request.ts'

/** What is asked to wait where nobody knows for how long. */
const USUAL_WAIT_MS = 60_000

/** @param now milliseconds since 1970 */
export function maintenanceAnswer(
  { message, until }: Maintenance,
  now: number,
): Omit<OwnAnswer, 'requestId'> {
  const { detail, ...words } = OWN_ANSWERS.maintenance
  const back = until === undefined ? undefined : timeOf(until)
  const said = message ?? detail
  // A time that has passed tells nobody anything.
  if (back === undefined || back <= now)
    return { ...words, detail: said, retryAfterMs: USUAL_WAIT_MS }
  const instant = new Date(back).toISOString()
  return {
    ...words,
    detail: `${said} It is expected back by ${inWords(instant)}.`,
    retryAfterMs: back - now,
    members: { until: instant },
  }
}

/** `2026-12-01T06:00:00.000Z` as `2026-12-01 06:00 UTC`. */
const inWords = (instant: string) => `${instant.slice(0, 10)} ${instant.slice(11, 16)} UTC`
