/**
 * How the connector listener answers: control messages, and refusals as problem+json.
 *
 * @module
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import {
  MESSAGE_MEDIA_TYPE,
  PeerViolation,
  Refused,
  type RefusalReason,
} from '../../protocol/internal.ts'
import type { Containment } from '../../runtime/containment.ts'
import { lingerAtClose } from './lingering-close.ts'

/** The HTTP status of each refusal. @see spec/PROTOCOL.md, "Error codes" */
const STATUS: Partial<Record<RefusalReason, number>> = {
  'ticket-refused': 401,
  'certificate-missing': 401,
  'certificate-untrusted': 401,
  'certificate-expired': 401,
  'certificate-profile': 403,
  'certificate-revoked': 403,
  'request-malformed': 400,
  'not-found': 410,
  'too-large': 413,
  unavailable: 503,
}

/** Answers with an encoded control message. */
export function sendMessage(response: ServerResponse, message: Uint8Array): void {
  response
    .writeHead(200, {
      'content-type': MESSAGE_MEDIA_TYPE,
      'content-length': message.length,
      'cache-control': 'no-store',
    })
    .end(message)
}

/**
 * Answers with a problem (RFC 9457) that names the refusal's stable code, and closes the
 * connection.
 */
export function sendRefusal(response: ServerResponse, refused: Refused): void {
  if (response.headersSent) {
    response.destroy()
    return
  }
  const { req } = response
  // Node would close over what still comes of the call, and the refusal would be lost with it.
  if (!req.complete) lingerAtClose(req.socket, req)
  const status = STATUS[refused.reason] ?? 403
  const body = JSON.stringify({
    type: 'about:blank',
    title: refused.message,
    status,
    code: refused.reason,
  })
  const { retryAfterMs } = refused
  if (retryAfterMs !== undefined) {
    response.setHeader('retry-after', Math.ceil(retryAfterMs / 1000))
  }
  response
    .writeHead(status, {
      'content-type': 'application/problem+json',
      'content-length': Buffer.byteLength(body),
      'cache-control': 'no-store',
      connection: 'close',
    })
    .end(body)
}

/** How much of a small call is read, and for how long. */
export interface BodyBounds {
  readonly maxBytes: number
  /** Milliseconds to the last byte: a caller need not have shown who it is. */
  readonly withinMs: number
}

/**
 * The whole body of a small call. After a throw the rest is read and discarded, so that the refusal
 * can be said.
 *
 * @throws Refused `too-large`, or `request-malformed` when it breaks off or does not come in time
 */
export function readBody(
  request: IncomingMessage,
  { maxBytes, withinMs }: BodyBounds,
): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const chunks: Uint8Array[] = []
    let length = 0
    const refuse = (refused: Refused) => {
      clearTimeout(timer)
      request.removeListener('data', take).resume()
      reject(refused)
    }
    const take = (chunk: Uint8Array) => {
      length += chunk.length
      if (length > maxBytes) refuse(new Refused('too-large', `more than ${maxBytes} bytes`))
      else chunks.push(chunk)
    }
    const timer = setTimeout(() => {
      refuse(new Refused('request-malformed', `its body did not come within ${withinMs} ms`))
    }, withinMs)
    request
      .on('data', take)
      .on('end', () => resolve(Buffer.concat(chunks)))
      .on('close', () => {
        clearTimeout(timer)
        reject(new Refused('request-malformed', 'its body broke off'))
      })
  })
}

/**
 * What whoever called is told of an error; one that is no refusal is told to `containment` as well.
 */
export function asRefusal(
  { containment }: { readonly containment: Containment },
  error: unknown,
): Refused {
  if (error instanceof Refused) return error
  if (error instanceof PeerViolation) return new Refused('request-malformed', error.message)
  containment.tellInternal('connector-listener', error)
  return new Refused('unavailable', 'the call failed', { cause: error, retryAfterMs: 1_000 })
}

/** The connector dials again, and finds another process or none. */
export function stopping(): Refused {
  return new Refused('unavailable', 'the service is being stopped', { retryAfterMs: 5_000 })
}
