/**
 * What `node:http` refuses before anybody sees it: requests its parser does not read, heads that do
 * not come in time. They are answered in the words of every other failure, and the connection
 * closes.
 *
 * @module
 */
import type { Socket } from 'node:net'
import { failureStatus, type FailureReason } from '../../protocol/internal.ts'
import type { FailureResponse } from '../pages/answer.ts'
import { setCookies } from '../request/edge-request.ts'
import type { UnreadRequest } from '../edge/failure-audit.ts'
import { MAX_TARGET } from '../edge/request-limits.ts'
import { prefersHtml } from '../pages/negotiation.ts'
import { failureResponse, type Form } from '../pages/pages.ts'
import { REMOVE_ATTEMPTS } from '../directory/attempt-slots.ts'
import { closeLingering, type LingerLimits } from './lingering-close.ts'
import { answerOn, whenAnswered } from '../../runtime/node/request-turns.ts'
import { rawHead } from './user-exchange.ts'

/** What Node says of octets that its parser did not read. */
type UnreadError = NodeJS.ErrnoException & {
  readonly reason?: string
  readonly rawPacket?: Buffer
  /** Of `rawPacket`. */
  readonly bytesParsed?: number
}

/** Gives the answer to what nobody read a number, and writes it down. */
export type Numbered = (refused: UnreadRequest) => string

/**
 * Answers what is no request, when its turn has come; also what breaks off in the middle of a body.
 */
export function refuseUnread(
  error: UnreadError,
  socket: Socket,
  limits: LingerLimits,
  numbered: Numbered,
): void {
  const { code = '' } = error
  const isHttp = code.startsWith('HPE_') || code === 'ERR_HTTP_REQUEST_TIMEOUT'
  if (!isHttp) return void socket.destroy()
  if (code === BEHIND_THE_LAST) return closeBehind(socket, limits)
  // Node says it of every segment that comes behind.
  if (REFUSED.has(socket)) return
  REFUSED.add(socket)
  const isMethod = isUnknownMethod(error)
  const accept = acceptIn(error)
  const begun = headIn(error)
  whenAnswered(socket, () => {
    const answer = answerOn(socket)
    // In the middle of an answer, another would be taken for a part of it.
    if (answer?.headersSent === true) return void socket.destroy()
    // It closes behind the answer that came before.
    if (!socket.writable) return
    // Whoever still works at the request whose body broke off learns now that it is over.
    answer?.detachSocket(socket)
    answer?.emit('close')
    const isHead = /^HEAD /.test(begun) || answer?.req.method === 'HEAD'
    const asked = { accept, isHead }
    if (isMethod) return answerRefused(socket, 'method-unsupported', limits, numbered, asked)
    const target = /^[^ \r\n]+ ([^ \r\n]*)/.exec(begun)?.[1] ?? ''
    const isTarget = code === 'HPE_HEADER_OVERFLOW' && target.length > MAX_TARGET
    const reason = isTarget ? 'target-too-long' : (REASONS[code] ?? 'user-malformed')
    answerRefused(socket, reason, limits, numbered, { ...asked, status: STATUSES[code] })
  })
}

const REFUSED = new WeakSet<Socket>()

/**
 * After `Connection: close`, and HTTP/1.0 without keep-alive, nothing that follows is a request
 * (RFC 9112 §9.6).
 */
const BEHIND_THE_LAST = 'HPE_CLOSED_CONNECTION'

/** The last answer is given, and lasts until it was read, whatever comes behind its request. */
function closeBehind(socket: Socket, limits: LingerLimits): void {
  if (answerOn(socket) === undefined) return closeLingering(socket, limits)
  socket.destroySoon = () => closeLingering(socket, limits)
}

/** What had come of a head that was not read, if it began in the last segment. */
function headIn({ rawPacket, bytesParsed = 0 }: UnreadError): string {
  const text = rawPacket?.toString('latin1') ?? ''
  const end = text.lastIndexOf('\r\n\r\n', bytesParsed - 1)
  return end === -1 ? text : text.slice(end + 4)
}

/**
 * What a head that was not read accepts, as far as the last of it says. One that is too large, and
 * says nothing there, is a browser's, as a rule.
 */
function acceptIn({ code, rawPacket }: UnreadError): 'html' | 'problem' {
  const text = rawPacket?.toString('latin1') ?? ''
  const accept = /^accept:([^\r\n]*)/im.exec(text)?.[1]
  if (accept !== undefined) return prefersHtml(['accept', accept]) ? 'html' : 'problem'
  return code === 'HPE_HEADER_OVERFLOW' && !REQUEST_LINE.test(text) ? 'html' : 'problem'
}

/**
 * Of methods the parser reads its own only, and some of those for other protocols; the rest of such
 * a request is in order.
 */
function isUnknownMethod({ code, reason = '', rawPacket, bytesParsed = 0 }: UnreadError): boolean {
  if (code !== 'HPE_INVALID_METHOD' && !reason.startsWith('Invalid method')) return false
  const octets = rawPacket?.toString('latin1') ?? ''
  const line = octets.lastIndexOf('\n', bytesParsed - 1) + 1
  return REQUEST_LINE.test(octets.slice(line))
}

const REQUEST_LINE = /^[!#$%&'*+\-.^_`|~\w]+ [!-~]+ HTTP\/1\.[01]\r\n/

/** What is known of a request that nobody serves. */
interface Unserved {
  /** Default: that of the reason. */
  readonly status?: number | undefined
  /** Default `problem`. */
  readonly accept?: 'html' | 'problem'
  /** Its answer has no content. Default false. */
  readonly isHead?: boolean
}

/** Answers a request that nobody serves, on its bare socket. */
export function answerRefused(
  socket: Socket,
  reason: FailureReason,
  limits: LingerLimits,
  numbered: Numbered,
  { status = failureStatus(reason).status, accept, isHead = false }: Unserved = {},
): void {
  const address = socket.remoteAddress
  const requestId = numbered({ reason, status, ...(address !== undefined && { address }) })
  const { headers, body } = refusal(reason, requestId, status, accept)
  const date = new Date().toUTCString()
  socket.write(rawHead(status, ['Connection', 'close', 'Date', date, ...headers]), 'latin1')
  if (!isHead) socket.write(body)
  closeLingering(socket, limits)
}

/** What a request that nobody serves is answered with. */
export function refusal(
  reason: FailureReason,
  requestId: string,
  status = failureStatus(reason).status,
  accept: Form = 'problem',
): FailureResponse {
  const { title, detail, error } = failureStatus(reason)
  const source = reason === 'method-unsupported' ? 'cloud' : 'user'
  const failure = { status, code: reason, title, detail, error, source, requestId } as const
  const response = failureResponse(failure, { accept })
  // Nobody can see which of our cookies it carries: all that can be many go, and the next request
  // is read.
  const cookies = reason === 'head-too-large' ? REMOVE_ATTEMPTS : []
  return { ...response, headers: [...response.headers, ...setCookies(cookies)] }
}

const REASONS: Readonly<Record<string, FailureReason>> = {
  ERR_HTTP_REQUEST_TIMEOUT: 'user-too-slow',
  HPE_HEADER_OVERFLOW: 'head-too-large',
}

const STATUSES: Readonly<Record<string, number>> = {
  HPE_CHUNK_EXTENSIONS_OVERFLOW: 413,
}
