/**
 * Codes, statuses and words of what this service answers without an exchange or a sign-in having
 * failed. The rest of the words: protocol/failure.ts and protocol/sign-in-denials.ts.
 *
 *     const actions = [{ label: 'Sign in again', href: '/' }]
 *     request.answer({ ...OWN_ANSWERS['signed-out'], actions })
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
  ...own('form-not-delivered', 401, 'sign-in', 'Your form was not delivered', 'You are not signed in, so nothing of it was passed on or kept. Sign in in another window. Then come back to this one, go back to the form by the Back button of your browser, and send it again. Some forms lose their text on the way back, and files must be chosen again.'),
  ...own('sign-in-framed', 401, 'sign-in', 'Sign in in a window of its own', 'This page is shown inside a page of another site, where nobody can sign in. Open it in a window of its own.'),
  ...own('session-not-kept', 403, 'sign-in', 'This browser does not keep your session', 'You signed in, but the browser did not bring back the cookie that says so. It may keep none inside the pages of other sites. Open the page in a window of its own.'),
  ...own('session-ended', 401, 'sign-in', 'Your session has ended', 'You were signed out, or signed in too long ago. Open this page again to sign in.'),
  ...own('application-changed', 503, 'cloud', 'The application was changed', 'While your request was under way, this application was changed or is published no more. Open it again in a moment.'),
  ...own('misdirected', 421, 'user', 'Asked on another connection', 'This connection was made for another address. Open the page again.'),
  ...own('body-too-large', 413, 'user', 'Too much was sent', 'What you sent is larger than this application takes. Send less at once.'),
  ...own('user-rate', 429, 'user', 'Too many requests', 'You have sent more requests than one user may in this time. Wait a little, then open the page again.'),
  ...own('application-rate', 429, 'cloud', 'Too many requests', 'This application gets more requests than it may in this time. Wait a little, then open the page again.'),
  ...own('tenant-rate', 429, 'cloud', 'Too many requests', 'The applications of this organisation get more requests than they may in this time. Wait a little, then open the page again.'),
  ...own('maintenance', 503, 'cloud', 'Closed for maintenance', 'This application is being worked on, and cannot be used meanwhile. Open it again later.'),
  ...own('state-stale', 503, 'cloud', 'Sign-ins cannot be checked now', 'For a while this service could not learn who signed out elsewhere, so it lets nobody in. Open the page again in a moment.'),
  ...own('session-none', 401, 'sign-in', 'Sign in to go on', 'There is no session here. Open a page of the application to sign in.'),
  ...own('session-same-origin', 403, 'cloud', 'Not allowed from there', 'Only a page of this host may ask that.'),
  ...own('session-renewed-lately', 429, 'sign-in', 'Renewed a moment ago', 'The session was renewed less than half a minute ago. Try again in half a minute.'),
  ...own('session-needs-user', 409, 'sign-in', 'Sign in again to go on', 'The session cannot be renewed without its user. Open a page of the application in a window of its own.'),
  ...own('step-up-required', 401, 'policy', 'One more step is needed', 'This application asks for more than you signed in with, such as a second factor. Sign in again to go on.'),
  ...own('segment-out-of-reach', 403, 'policy', 'Not all of it is yours', 'What you asked for concerns parts of this application that you may not use, or not as you signed in. Ask for the parts that you may use, one by one.'),
  ...own('cors-not-configured', 403, 'cloud', 'Not allowed from there', 'Pages of other sites may not use this application. Open the application itself.'),
  ...own('cors-origin-refused', 403, 'cloud', 'Not allowed from there', 'Pages of this site may not use this application. Open the application itself.'),
  ...own('cors-method-refused', 403, 'cloud', 'Not allowed from there', 'Pages of other sites may not use this method here. Open the application itself.'),
  ...own('cors-headers-refused', 403, 'cloud', 'Not allowed from there', 'Pages of other sites may not send these header fields here. Open the application itself.'),
  ...own('other-account-refused', 403, 'sign-in', 'Not allowed from there', 'Only a page of this service may sign you out to sign in as somebody else. Open the page you wanted again.'),
  ...own('http2-required', 505, 'user', 'This application needs HTTP/2', 'A call of gRPC came by HTTP/1.1, which cannot carry it. Use a client that speaks HTTP/2 by TLS, and nothing on the way that turns it into HTTP/1.1.'),
  ...own('not-found', 404, 'cloud', 'Nothing here', 'This address belongs to the service itself, and there is nothing at it. Check it for typing errors.'),
  ...own('result-unreadable', 400, 'sign-in', 'Nothing to show here any more', 'This address told how a sign-in ended, and can no longer be read. Open the page you wanted again.'),
  ...own('continue-to-sign-in', 200, 'sign-in', 'Sign in to go on', 'You are being sent to the sign-in page of your organisation.'),
  ...own('address-too-long', 414, 'sign-in', 'This address is too long to be kept', 'It is longer than what can be carried through the sign-in. Sign in first; then open the address again.'),
  ...own('signed-in', 200, 'sign-in', 'You are signed in', 'You are being sent to the page you asked for.'),
  ...own('signed-in-open-again', 200, 'sign-in', 'You are signed in', 'The address you wanted was too long to be carried along. If it does not open by itself now, open it again.'),
  ...own('signed-in-window', 200, 'sign-in', 'You are signed in', 'Close this window and go back to the one you came from, which goes on from here.'),
  ...own('signed-in-form', 200, 'sign-in', 'You are signed in', 'Close this window. In the one you came from, go back to your form by the Back button of the browser, and send it again.'),
  ...own('sign-out', 200, 'sign-in', 'Sign out?', 'You are signed in here and at the sign-in service of your organisation. Signing out ends both, as far as the sign-in service agrees. If you end the session here only, signing in again may take no password.'),
  ...own('signed-out', 200, 'sign-in', 'You are signed out here', 'If you chose to stay signed in at the sign-in service, you still are: there, in other applications, and signing in again here may take no password. To be safe on a shared computer, sign out there too, and close the browser.'),
}
