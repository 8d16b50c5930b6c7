/**
 * How the private site answers: pages, JSON and text of known length.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'

/** Answers one request; `query` is what follows the question mark. */
export type Handler = (
  request: IncomingMessage,
  response: ServerResponse,
  query: URLSearchParams,
) => void | Promise<void>

/** Header fields as they came, in their order. */
export function pairsOf({ rawHeaders }: IncomingMessage): [string, string][] {
  const pairs: [string, string][] = []
  for (let i = 0; i < rawHeaders.length; i += 2) pairs.push([rawHeaders[i]!, rawHeaders[i + 1]!])
  return pairs
}

export function send(response: ServerResponse, status: number, type: string, text: string): void {
  const body = Buffer.from(text)
  response.writeHead(status, { 'Content-Type': type, 'Content-Length': body.length }).end(body)
}

export const sendJson = (response: ServerResponse, value: object) =>
  send(response, 200, 'application/json', JSON.stringify(value))
export const sendText = (response: ServerResponse, status: number, text: string) =>
  send(response, status, 'text/plain; charset=utf-8', text)
