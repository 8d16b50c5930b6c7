/**
 * The answer for clients of gRPC: they read no page, but a status and a message.
 *
 * @see docs/http2-and-grpc.md; gRPC over HTTP/2, "Responses"
 * @module
 */
import { headerValue } from '../../protocol/http/header-list.ts'
import type { FailureReason } from '../../protocol/wire/errors.ts'
import type { HeaderList } from '../../protocol/wire/frame-types.ts'
import type { Failure, FailureResponse } from './answer.ts'

/** The status codes of gRPC that we answer with. */
export const GRPC_STATUS = {
  CANCELLED: 1,
  UNKNOWN: 2,
  DEADLINE_EXCEEDED: 4,
  PERMISSION_DENIED: 7,
  RESOURCE_EXHAUSTED: 8,
  FAILED_PRECONDITION: 9,
  UNIMPLEMENTED: 12,
  INTERNAL: 13,
  UNAVAILABLE: 14,
  UNAUTHENTICATED: 16,
} as const
export type GrpcStatus = keyof typeof GRPC_STATUS

/**
 * What a request that failed is told as. `UNAVAILABLE` is what clients repeat by themselves, where
 * they are told to.
 */
// prettier-ignore
const OF_REASON: Readonly<Record<FailureReason, GrpcStatus>> = {
  'no-connector':            'UNAVAILABLE',
  'instances-unreachable':   'UNAVAILABLE',
  'queue-full':              'UNAVAILABLE',
  'connectors-busy':         'UNAVAILABLE',
  'application-share':       'RESOURCE_EXHAUSTED',
  'user-share':              'RESOURCE_EXHAUSTED',
  'connector-too-old':       'UNIMPLEMENTED',
  'claim-timeout':           'UNAVAILABLE',
  'attempts-exhausted':      'UNAVAILABLE',
  'connector-lost':          'UNAVAILABLE',
  'connector-violation':     'INTERNAL',
  'connector-aborted':       'UNAVAILABLE',
  'connector-exhausted':     'UNAVAILABLE',
  'sign-on-failed':          'FAILED_PRECONDITION',
  'pin-lost':                'UNAUTHENTICATED',
  'connection-shared':       'UNIMPLEMENTED',
  'unknown-application':     'UNIMPLEMENTED',
  'upgrade-unsupported':     'UNIMPLEMENTED',
  'method-unsupported':      'UNIMPLEMENTED',
  'application-unreachable': 'UNAVAILABLE',
  'application-certificate': 'UNAVAILABLE',
  'application-timeout':     'DEADLINE_EXCEEDED',
  'application-aborted':     'UNAVAILABLE',
  'application-malformed':   'INTERNAL',
  'idle-timeout':            'DEADLINE_EXCEEDED',
  'user-aborted':            'CANCELLED',
  'user-malformed':          'INTERNAL',
  'head-too-large':          'RESOURCE_EXHAUSTED',
  'target-too-long':         'RESOURCE_EXHAUSTED',
  'user-too-slow':           'DEADLINE_EXCEEDED',
  'origin-refused':          'PERMISSION_DENIED',
  cancelled:                 'CANCELLED',
  internal:                  'INTERNAL',
}

/** The same of everything else that is answered, by its status. */
const OF_STATUS: Readonly<Record<number, GrpcStatus>> = {
  400: 'INTERNAL',
  401: 'UNAUTHENTICATED',
  403: 'PERMISSION_DENIED',
  404: 'UNIMPLEMENTED',
  405: 'UNIMPLEMENTED',
  409: 'FAILED_PRECONDITION',
  413: 'RESOURCE_EXHAUSTED',
  414: 'RESOURCE_EXHAUSTED',
  429: 'RESOURCE_EXHAUSTED',
  431: 'RESOURCE_EXHAUSTED',
  501: 'UNIMPLEMENTED',
  502: 'UNAVAILABLE',
  503: 'UNAVAILABLE',
  504: 'UNAVAILABLE',
}

/** What an answer with this code and HTTP status is in gRPC. */
export function grpcStatusOf(code: string, status: number): GrpcStatus {
  if (Object.hasOwn(OF_REASON, code)) return OF_REASON[code as FailureReason]
  return OF_STATUS[status] ?? (status < 500 ? 'UNKNOWN' : 'INTERNAL')
}

/**
 * Whether a message with these fields is one of gRPC over HTTP/2. That of gRPC-Web, which browsers
 * speak, has its status in its body and passes as an ordinary one.
 */
export function isGrpc(headers: HeaderList): boolean {
  const type = headerValue(headers, 'content-type')
  return type !== undefined && GRPC.test(type)
}

const GRPC = /^application\/grpc(?:$|[+; ])/i

/**
 * The media type in which a refusal is a status to whoever sent these fields: that of gRPC over
 * HTTP/2, or the one of gRPC-Web that came. Undefined: no client of gRPC asks, or one that reads no
 * such answer.
 */
export function grpcTypeOf(headers: HeaderList, httpVersion: string): string | undefined {
  const type = headerValue(headers, 'content-type')
  if (type === undefined || !/^application\/grpc/i.test(type)) return undefined
  if (GRPC.test(type)) return httpVersion === '2' ? 'application/grpc' : undefined
  return GRPC_WEB.exec(type)?.[1]!.toLowerCase()
}

const GRPC_WEB = /^(application\/grpc-web(?:-text)?(?:\+[a-z0-9.-]{1,32})?) *(?:$|;)/i

/**
 * A head that is the whole answer (Trailers-Only). What a browser's page may read of it is named:
 * that grants nobody anything.
 */
export function grpcResponse(failure: Failure, type = 'application/grpc'): FailureResponse {
  const headers = ['Content-Type', type, ...grpcTrailers(failure)]
  if (type !== 'application/grpc') {
    headers.push('Content-Length', '0', 'Cache-Control', 'no-store')
    headers.push('Access-Control-Expose-Headers', 'grpc-status, grpc-message')
  }
  return { status: 200, headers, body: new Uint8Array(0) }
}

/** What ends an answer that has begun. */
export function grpcTrailers({
  code,
  status,
  detail,
  requestId,
}: Pick<Failure, 'code' | 'status' | 'detail' | 'requestId'>): HeaderList {
  const message = percentEncoded(`${detail} (${code}, request ${requestId})`)
  const grpcStatus = GRPC_STATUS[grpcStatusOf(code, status)]
  return ['grpc-status', String(grpcStatus), 'grpc-message', message]
}

/** Whatever is not printable ASCII, and the sign itself, by octets of UTF-8. */
function percentEncoded(text: string): string {
  return text.replace(/[^\x20-\x24\x26-\x7e]/gu, (sign) =>
    Array.from(new TextEncoder().encode(sign), hexOctet).join(''),
  )
}

const hexOctet = (octet: number) => `%${octet.toString(16).toUpperCase().padStart(2, '0')}`
