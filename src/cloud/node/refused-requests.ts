/**
 * What `node:http` refuses before anybody sees it: requests its parser does not read, heads that do not come in time. They are
 * answered in the words of every other failure, and the connection closes.
 *
 * @module
 */
import { randomBytes } from 'node:crypto'
import type { Socket } from 'node:net'
import { failureStatus, type FailureReason } from '../../protocol/index.ts'
import type { FailureResponse } from '../pages/answer.ts'
import { setCookies } from '../edge/edge-request.ts'
import { prefersHtml } from '../pages/negotiation.ts'
import { failureResponse } from '../pages/pages.ts'
import { REMOVE_ATTEMPTS } from '../sign-in/attempt-slots.ts'
import { closeLingering, type LingerLimits } from './lingering-close.ts'
import { answerOn, rawHead } from './user-exchange.ts'

/** Answers what is no request; also what breaks off in the middle of a body. */
export function refuseUnread(
  error: NodeJS.ErrnoException & { reason?: string; rawPacket?: Buffer },
  socket: Socket,
  limits: LingerLimits,
): void {
  const { code = '' } = error
  const isHttp = code.startsWith('HPE_') || code === 'ERR_HTTP_REQUEST_TIMEOUT'
  // In the middle of an answer, another would be taken for a part of it.
  const answer = answerOn(socket)
  const mayAnswer = isHttp && socket.writable && answer?.headersSent !== true
  if (!mayAnswer) return void socket.destroy()
  // Whoever still works at the request whose body broke off learns now that it is over.
  answer?.detachSocket(socket)
  answer?.emit('close')
  if (isUnknownMethod(error)) return answerRefused(socket, 'method-unsupported', limits)
  const reason = REASONS[code] ?? 'user-malformed'
  answerRefused(socket, reason, limits, STATUSES[code], acceptIn(error))
}

/** What a head that was not read accepts, as far as the last of it says. One that is too large, and says nothing there, is a browser's, as a rule. */
function acceptIn({ code, rawPacket }: Parameters<typeof refuseUnread>[0]): 'html' | 'problem' {
  const text = rawPacket?.toString('latin1') ?? ''
  const accept = /^accept:([^\r\n]*)/im.exec(text)?.[1]
  if (accept !== undefined) return prefersHtml(['accept', accept]) ? 'html' : 'problem'
  return code === 'HPE_HEADER_OVERFLOW' && !REQUEST_LINE.test(text) ? 'html' : 'problem'
}

/** Of methods the parser reads its own only, and some of those for other protocols; the rest of such a request is in order. */
function isUnknownMethod({
  code,
  reason = '',
  rawPacket,
}: Parameters<typeof refuseUnread>[0]): boolean {
  if (code !== 'HPE_INVALID_METHOD' && !reason.startsWith('Invalid method')) return false
  return REQUEST_LINE.test(rawPacket?.toString('latin1') ?? '')
}

const REQUEST_LINE = /(?:^|\r\n\r\n)[!#$%&'*+\-.^_`|~\w]+ [!-~]+ HTTP\/1\.[01]\r\n/

/** Answers a request that nobody serves, on its bare socket. */
export function answerRefused(
  socket: Socket,
  reason: FailureReason,
  limits: LingerLimits,
  status = failureStatus(reason).status,
  accept: 'html' | 'problem' = 'problem',
): void {
  const { headers, body } = refusal(reason, status, accept)
  socket.write(rawHead(status, ['Connection', 'close', ...headers]), 'latin1')
  socket.write(body)
  closeLingering(socket, limits)
}

/** What a request that nobody serves is answered with. */
export function refusal(
  reason: FailureReason,
  status = failureStatus(reason).status,
  accept: 'html' | 'problem' = 'problem',
): FailureResponse {
  const { title, detail, error } = failureStatus(reason)
  const requestId = randomBytes(9).toString('base64url')
  const source = reason === 'method-unsupported' ? 'cloud' : 'user'
  const failure = { status, code: reason, title, detail, error, source, requestId } as const
  const response = failureResponse(failure, { accept })
  // Nobody can see which of our cookies it carries: all that can be many go, and the next request is read.
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
