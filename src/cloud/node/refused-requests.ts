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
import { failureResponse } from '../pages/pages.ts'
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
  answerRefused(socket, REASONS[code] ?? 'user-malformed', limits, STATUSES[code])
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
): void {
  const { headers, body } = refusal(reason, status)
  socket.write(rawHead(status, ['Connection', 'close', ...headers]), 'latin1')
  socket.write(body)
  closeLingering(socket, limits)
}

/** What a request that nobody serves is answered with. */
export function refusal(
  reason: FailureReason,
  status = failureStatus(reason).status,
): FailureResponse {
  const { title, detail, error } = failureStatus(reason)
  const requestId = randomBytes(9).toString('base64url')
  const source = reason === 'method-unsupported' ? 'cloud' : 'user'
  const failure = { status, code: reason, title, detail, error, source, requestId } as const
  return failureResponse(failure, { accept: 'problem' })
}

const REASONS: Readonly<Record<string, FailureReason>> = {
  ERR_HTTP_REQUEST_TIMEOUT: 'user-too-slow',
}

const STATUSES: Readonly<Record<string, number>> = {
  HPE_HEADER_OVERFLOW: 431,
  HPE_CHUNK_EXTENSIONS_OVERFLOW: 413,
}
