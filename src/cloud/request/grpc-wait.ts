/**
 * How long a call of gRPC may wait for the head of its answer. Servers send it with their first
 * message, and a stream may begin with silence: nothing is known from that. What its client waits
 * is: the client says it.
 *
 * @see gRPC over HTTP/2, "Requests"; docs/http2-and-grpc.md
 * @module
 */
import type { OwnPatience } from '../../protocol/machines/exchange-patience.ts'
import { headerValue } from '../../protocol/http/header-list.ts'
import type { HeaderList } from '../../protocol/wire/frame-types.ts'
import { TIME_LIMITS } from '../../protocol/wire/limits.ts'
import type { Published } from '../directory/published.ts'
import { isGrpc } from '../pages/grpc-answer.ts'

/** Of an application that says no other; as long as a stream may be silent. */
const GRPC_HEAD_MS = TIME_LIMITS.tunnelIdleMs

/** Where a request is queued, with the time that it may take to its response head. */
export function destinationOf(
  { application, destination }: Published,
  headers: HeaderList,
): Published['destination'] {
  if (application.backendProtocol === undefined || !isGrpc(headers)) return destination
  const timeoutMs = grpcTimeoutMs(headerValue(headers, 'grpc-timeout'))
  const responseHeadMs = Math.min(timeoutMs, application.grpcHeadMs ?? GRPC_HEAD_MS)
  return { ...destination, responseHeadMs, patience: patient(destination.patience, responseHeadMs) }
}

/** Its client may be silent as well: it waits for the same answer. */
function patient(own: OwnPatience | undefined, responseHeadMs: number): OwnPatience | undefined {
  if (own?.requestIdleMs !== undefined || responseHeadMs <= TIME_LIMITS.stalledMs) return own
  return { ...own, requestIdleMs: responseHeadMs }
}

const UNITS: Readonly<Record<string, number>> = {
  ...{ H: 3_600_000, M: 60_000, S: 1_000 },
  ...{ m: 1, u: 0.001, n: 0.000_001 },
}

/** Whole milliseconds, at least 1; Infinity: the client says nothing that can be read. */
export function grpcTimeoutMs(timeout: string | undefined): number {
  const [, digits, unit] = /^([0-9]{1,8})([HMSmun])$/.exec(timeout ?? '') ?? []
  if (digits === undefined) return Infinity
  return Math.max(1, Math.ceil(Number(digits) * UNITS[unit!]!))
}
