/**
 * Codes, statuses and words of what this service answers without an exchange or a sign-in having failed. The rest of the words: protocol/failure.ts and
 * protocol/sign-in-denials.ts.
 *
 *     request.answer({ ...OWN_ANSWERS['signed-out'], actions: [{ label: 'Sign in again', href: '/' }] })
 *
 * @see spec/PROTOCOL.md, "Answers of the service itself"
 * @module
 */
import type { Failure } from './answer.ts'

type OwnWords = Pick<Failure, 'status' | 'code' | 'title' | 'detail' | 'source'>

const own = <C extends string>(
  code: C,
  status: number,
  source: Failure['source'],
  title: string,
  detail: string,
): Readonly<Record<C, OwnWords>> =>
  ({ [code]: { status, code, title, detail, source } }) as unknown as Record<C, OwnWords>

// prettier-ignore
export const OWN_ANSWERS = {
  ...own('sign-in-required', 401, 'sign-in', 'Sign-in required', 'Open this address in a browser to sign in.'),
  ...own('session-ended', 401, 'sign-in', 'Your session has ended', 'You were signed out, or signed in too long ago. Open this page again to sign in.'),
  ...own('step-up-required', 401, 'policy', 'One more step is needed', 'This application asks for more than you signed in with, such as a second factor. Sign in again to go on.'),
  ...own('cors-not-configured', 403, 'cloud', 'Not allowed from there', 'Pages of other sites may not use this application.'),
  ...own('cors-origin-refused', 403, 'cloud', 'Not allowed from there', 'Pages of this site may not use this application.'),
  ...own('cors-method-refused', 403, 'cloud', 'Not allowed from there', 'Pages of other sites may not use this method here.'),
  ...own('cors-headers-refused', 403, 'cloud', 'Not allowed from there', 'Pages of other sites may not send these header fields here.'),
  ...own('not-found', 404, 'cloud', 'Nothing here', 'This address belongs to the service itself, and there is nothing at it.'),
  ...own('continue-to-sign-in', 200, 'sign-in', 'Sign in to go on', 'You are being sent to the sign-in page of your organisation.'),
  ...own('signed-in', 200, 'sign-in', 'You are signed in', 'You are being sent to the page you asked for.'),
  ...own('sign-out', 200, 'sign-in', 'Sign out?', 'You will have to sign in again to use this application.'),
  ...own('signed-out', 200, 'sign-in', 'You are signed out', 'To be safe on a shared computer, close the browser as well.'),
}
