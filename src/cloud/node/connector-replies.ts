/**
 * How the connector listener answers: control messages, and refusals as problem+json.
 *
 * @module
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { MESSAGE_MEDIA_TYPE, Refused, type RefusalReason } from '../../protocol/index.ts'

/** The HTTP status of each refusal. @see spec/PROTOCOL.md, "Error codes" */
const STATUS: Partial<Record<RefusalReason, number>> = {
  'certificate-missing': 401,
  'certificate-untrusted': 401,
  'certificate-expired': 401,
  'certificate-profile': 403,
  'certificate-revoked': 403,
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

/** Answers with a problem (RFC 9457) that names the refusal's stable code, and closes the connection. */
export function sendRefusal(response: ServerResponse, refused: Refused, status?: number): void {
  if (response.headersSent) {
    response.destroy()
    return
  }
  const body = JSON.stringify({
    type: 'about:blank',
    title: refused.message,
    status: status ?? STATUS[refused.reason] ?? 403,
    code: refused.reason,
  })
  response
    .writeHead(status ?? STATUS[refused.reason] ?? 403, {
      'content-type': 'application/problem+json',
      'content-length': Buffer.byteLength(body),
      'cache-control': 'no-store',
      connection: 'close',
    })
    .end(body)
}

/**
 * The whole body of a small call.
 *
 * @throws Refused `too-large`
 */
export async function readBody(request: IncomingMessage, maxBytes: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  let length = 0
  for await (const chunk of request as AsyncIterable<Uint8Array>) {
    length += chunk.length
    if (length > maxBytes) throw new Refused('too-large', `more than ${maxBytes} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}
