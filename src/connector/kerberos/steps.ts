/**
 * A step of a sign-on: what the library says when it fails becomes the reason that an operator
 * reads.
 *
 * @module
 */
import { SignOnFailed } from '../../protocol/wire/errors.ts'
import { GssFailure, reasonOf, type GssStep } from './gss-failure.ts'

const WORDS: Readonly<Record<GssStep, string>> = {
  account: 'the connector’s own account',
  user: 'a ticket for the user',
  service: 'a ticket of the user for the service',
  answer: 'what the application answered',
}

/** What the step came to. @throws SignOnFailed */
export async function at<T>(step: GssStep, work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (error) {
    throw toldAt(step, error)
  }
}

/** The same for what is local. */
export function atOnce<T>(step: GssStep, work: () => T): T {
  try {
    return work()
  } catch (error) {
    throw toldAt(step, error)
  }
}

/** A failure of the library as one of the sign-on; anything else as it is. */
export function toldAt(step: GssStep, error: unknown): unknown {
  if (!(error instanceof GssFailure)) return error
  const said = error.said.at(-1) ?? error.message
  return new SignOnFailed(reasonOf(step, error), `${WORDS[step]}: ${said}`, { cause: error })
}

export const isExpired = (error: unknown): boolean =>
  error instanceof SignOnFailed && error.reason === 'credentials-expired'

/**
 * In whose name it is, or towards whom. What is in another name is never used: it would be the
 * connector's own.
 *
 * @throws SignOnFailed
 */
export function mustBe(meant: string, found: string): void {
  if (found !== meant)
    throw new SignOnFailed('misconfigured', 'the ticket is in another name than was asked for')
}
