/**
 * What the private site does with requests: tells, counts, sends, waits and breaks.
 */
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { pairsOf, sendJson, sendText } from './answers.ts'
import { content, digestOf } from './content.ts'

/** Method, target and raw header fields, octet for octet as they came; any method. */
export function headers(request: IncomingMessage, response: ServerResponse): void {
  request.resume()
  const { method, url: target } = request
  sendJson(response, { method, target, rawHeaders: pairsOf(request) })
}

/** Counts and hashes the body while it streams in. */
export async function upload(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const hash = createHash('sha256')
  let bytes = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length
    hash.update(chunk)
  }
  sendJson(response, { bytes, sha256: hash.digest('hex') })
}

export async function form(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const parts: Buffer[] = []
  for await (const chunk of request as AsyncIterable<Buffer>) parts.push(chunk)
  const fields = new URLSearchParams(
    Buffer.concat(parts)
      .toString('utf8')
      .slice(0, 64 * 1024),
  )
  sendJson(response, Object.fromEntries(fields))
}

/** `bytes` octets, always the same ones, with their digest in front. */
export async function download(
  request: IncomingMessage,
  response: ServerResponse,
  query: URLSearchParams,
): Promise<void> {
  const bytes = countOf(query, 'bytes')
  if (bytes === undefined) return sendText(response, 400, 'bytes=N is needed.\n')
  const digest = await digestOf(bytes)
  response.writeHead(200, {
    'Content-Type': 'application/octet-stream',
    'Content-Length': bytes,
    'Repr-Digest': `sha-256=:${digest}:`,
  })
  if (request.method === 'HEAD') return void response.end()
  for (const chunk of content(bytes)) {
    if (response.destroyed) return
    if (!response.write(chunk)) await drained(response)
  }
  response.end()
}

/** Says nothing for `ms` milliseconds. */
export async function slow(_: IncomingMessage, response: ServerResponse, query: URLSearchParams) {
  const ms = countOf(query, 'ms') ?? 1000
  const gone = new AbortController()
  response.once('close', () => gone.abort())
  await sleep(ms, undefined, { signal: gone.signal }).catch(() => undefined)
  if (!response.destroyed) sendText(response, 200, `after ${ms} ms\n`)
}

/** Promises twice as much as it sends, then drops the connection. */
export async function die(
  request: IncomingMessage,
  response: ServerResponse,
  query: URLSearchParams,
) {
  const bytes = countOf(query, 'bytes') ?? 0
  response.writeHead(200, {
    'Content-Type': 'application/octet-stream',
    'Content-Length': 2 * bytes + 1,
  })
  response.flushHeaders()
  for (const chunk of content(bytes)) if (!response.write(chunk)) await drained(response)
  setImmediate(() => request.socket.destroy())
}

function drained(response: ServerResponse): Promise<unknown> {
  const over = new AbortController()
  const options = { signal: over.signal }
  return Promise.race([once(response, 'drain', options), once(response, 'close', options)]).finally(
    () => over.abort(),
  )
}

function countOf(query: URLSearchParams, name: string): number | undefined {
  const count = Number(query.get(name) ?? NaN)
  return Number.isSafeInteger(count) && count >= 0 ? count : undefined
}
