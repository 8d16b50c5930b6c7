/**
 * One function from the reason an exchange failed to what the user is told.
 *
 * @see spec/PROTOCOL.md, "Error codes"; RFC 9209 section 2.3 for the error types
 * @module
 */
import type { FailureReason } from '../wire/errors.ts'

/** How a failure looks from outside; it names no host, no address and no file of the inside. */
export interface FailureStatus {
  /** HTTP status; 499 is never sent: the user is gone. */
  readonly status: number
  readonly title: string
  /** One sentence for the user. */
  readonly detail: string
  /** Proxy error type of RFC 9209. */
  readonly error: string
}

const failure = (status: number, error: string, title: string, detail: string): FailureStatus => ({
  status,
  title,
  detail,
  error,
})
/** What ends the words of what may pass by itself. */
export const LATER = 'Try again in a moment.'
const UNREACHED = 'Application not reachable'
const SLOW = 'No answer in time'
/** A page can only come where no answer has begun. */
const UNANSWERED = 'No answer came'
const GONE = failure(499, 'connection_terminated', 'Request cancelled', 'The request was given up.')

// prettier-ignore
const STATUSES: Readonly<Record<FailureReason, FailureStatus>> = {
  'no-connector':            failure(504, 'destination_unavailable', UNREACHED, `Nothing on the private side is connected for this application. ${LATER}`),
  'instances-unreachable':   failure(503, 'destination_unavailable', UNREACHED, `Those who are connected for this application cannot be asked now. ${LATER}`),
  'queue-full':              failure(503, 'connection_limit_reached', 'Too busy', `Too many requests are waiting. ${LATER}`),
  'connectors-busy':         failure(503, 'connection_limit_reached', 'Too busy', `The private side has no room for another request. ${LATER}`),
  'application-share':       failure(503, 'connection_limit_reached', 'Too busy', `This application has as many requests under way as it may. ${LATER}`),
  'user-share':              failure(429, 'connection_limit_reached', 'Too many requests', `You have as many requests under way as one user may. Close windows that load or stream something, then try again.`),
  'connector-too-old':       failure(501, 'proxy_configuration_error', 'Not supported', 'The private side cannot do what this application needs. Tell the administrator the request number.'),
  'claim-timeout':           failure(504, 'connection_timeout', SLOW, `The private side did not take the request in time. ${LATER}`),
  'attempts-exhausted':      failure(502, 'destination_unavailable', UNREACHED, `The request could not be handed over. ${LATER}`),
  'connector-lost':          failure(502, 'connection_terminated', UNANSWERED, `The connection to the private side was lost. ${LATER}`),
  'connector-violation':     failure(502, 'proxy_internal_error', 'Answer not usable', 'The private side answered in a way that cannot be used. Tell the administrator the request number.'),
  'connector-aborted':       failure(502, 'proxy_internal_error', UNANSWERED, `The private side gave the request up. ${LATER}`),
  'connector-exhausted':     failure(502, 'connection_limit_reached', UNREACHED, `The private side has no room for another connection. ${LATER}`),
  'sign-on-failed':          failure(502, 'proxy_configuration_error', 'Not signed on', 'You are signed in here, but the application could not be told who you are. Tell the administrator the request number.'),
  'pin-lost':                failure(401, 'http_request_denied', 'Sign in to the application again', 'The connection on which the application knew you was lost. Open the page again.'),
  'connection-shared':       failure(501, 'http_protocol_error', 'Not supported', 'The application signs each connection in by itself, and yours is shared on the way here. Tell the administrator the request number.'),
  'unknown-application':     failure(404, 'destination_not_found', 'No such application', 'No application is published at this address. Check it for typing errors, or ask whoever gave it to you.'),
  'upgrade-unsupported':     failure(501, 'http_upgrade_failed', 'Not supported', 'This connection cannot be switched to another protocol. Tell the administrator the request number.'),
  'method-unsupported':      failure(501, 'proxy_internal_response', 'Not supported', 'Requests with this method are not passed on. Use another method.'),
  'application-unreachable': failure(502, 'destination_unavailable', UNREACHED, `The application does not accept connections. ${LATER}`),
  'application-certificate': failure(502, 'tls_certificate_error', UNREACHED, 'The certificate of the application is not accepted. Tell whoever runs the application: it has to be put right there.'),
  'application-timeout':     failure(504, 'http_response_timeout', SLOW, `The application did not answer in time. ${LATER}`),
  'application-aborted':     failure(502, 'http_response_incomplete', UNANSWERED, `The application broke the connection off before it answered. ${LATER}`),
  'application-malformed':   failure(502, 'http_protocol_error', 'Answer not usable', 'The application gave an answer that cannot be passed on. Tell the administrator the request number.'),
  'idle-timeout':            failure(504, 'connection_read_timeout', SLOW, `The connection stood still for too long. ${LATER}`),
  'user-malformed':          failure(400, 'http_request_error', 'Request not understood', 'The request is not one that can be passed on. Check the address.'),
  'head-too-large':          failure(431, 'http_request_error', 'Request too large', 'The address, the cookies and the other fields of the request are together longer than what is taken here. Cookies of sign-ins that were not finished are removed by this answer: open the page again. If it comes again, remove the cookies of this site in your browser.'),
  'target-too-long':         failure(414, 'http_request_error', 'Address too long', 'The address is longer than what is taken here. Use a shorter one.'),
  'user-too-slow':           failure(408, 'http_request_error', 'Request too slow', 'The rest of the request did not come in time. Try again over a better connection.'),
  'origin-refused':          failure(403, 'http_request_denied', 'Not allowed from there', 'A page of another site may not do this. Open the application itself.'),
  'user-aborted':            GONE,
  cancelled:                 GONE,
  internal:                  failure(500, 'proxy_internal_error', 'Something went wrong', `The fault is in this service. ${LATER}`),
}

/** Status, words and RFC 9209 error type of a failed exchange. */
export function failureStatus(reason: FailureReason): FailureStatus {
  return STATUSES[reason]
}
