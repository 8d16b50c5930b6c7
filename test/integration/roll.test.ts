import { createHash, randomBytes } from 'node:crypto'
import { request as httpRequest, type IncomingMessage, type RequestListener } from 'node:http'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startTunnel, until, type Tunnel } from './tunnel.ts'

const CHUNK = randomBytes(16 * 1024)

/** Streams `…?chunks=N` at a walk, says what it was sent, greets otherwise. */
const backend: RequestListener = (request, response) => {
  const { pathname, searchParams } = new URL(request.url!, 'http://backend')
  if (pathname === '/download') {
    let left = Number(searchParams.get('chunks'))
    const timer = setInterval(() => {
      response.write(CHUNK)
      if (--left > 0) return
      clearInterval(timer)
      response.end()
    }, 50)
    response.on('close', () => clearInterval(timer))
  } else if (pathname === '/upload') {
    const hash = createHash('sha256')
    request.on('data', (chunk) => hash.update(chunk))
    request.on('end', () => response.end(hash.digest('hex')))
  } else response.end(`hello from ${request.url}`)
}

let tunnel: Tunnel
beforeAll(async () => {
  tunnel = await startTunnel({
    backend,
    renewAfterMs: 1_000,
    limits: { configurationPullMs: 200, leaseMs: 1_000 },
  })
})
afterAll(() => tunnel.close())

interface Call {
  readonly request: ReturnType<typeof httpRequest>
  readonly answer: Promise<{ status: number; body: Buffer }>
}

function call(method: string, path: string, headers: Record<string, string> = {}): Call {
  const request = httpRequest({
    host: '127.0.0.1',
    port: tunnel.port,
    path,
    method,
    headers: { host: 'open.localhost', ...headers },
  })
  const answer = new Promise<{ status: number; body: Buffer }>((resolve, reject) => {
    request.on('error', reject)
    request.on('response', (response: IncomingMessage) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('error', reject)
      response.on('end', () => {
        resolve({ status: response.statusCode!, body: Buffer.concat(chunks) })
      })
    })
  })
  return { request, answer }
}

const rolls = () => tunnel.events.filter(({ type }) => type === 'renewed').length

test('certificates roll while requests, a download and an upload are under way, and none is lost', async () => {
  const { connectorId } = tunnel.connector.identity
  const [first] = await tunnel.registry.certificates(connectorId)

  // Both begin before the first roll and end after the second.
  const chunks = 90
  const download = call('GET', `/download?chunks=${chunks}`)
  download.request.end()
  const upload = call('POST', '/upload', { 'transfer-encoding': 'chunked' })
  const sent = createHash('sha256')
  const feed = () => {
    const bytes = randomBytes(8 * 1024)
    sent.update(bytes)
    upload.request.write(bytes)
  }
  feed()

  let small = 0
  const steady = async () => {
    while (rolls() < 2 || small < 100) {
      const path = `/small/${small++}`
      const { request, answer } = call('GET', path)
      request.end()
      const { status, body } = await answer
      expect({ status, body: body.toString() }).toEqual({ status: 200, body: `hello from ${path}` })
      if (small % 5 === 0) feed()
    }
  }
  await Promise.all([steady(), steady(), steady(), steady()])
  const rolledInUpload = rolls()
  upload.request.end()

  const downloaded = await download.answer
  expect(downloaded.status).toBe(200)
  expect(downloaded.body.length).toBe(chunks * CHUNK.length)
  expect(downloaded.body.equals(Buffer.concat(Array.from({ length: chunks }, () => CHUNK)))).toBe(
    true,
  )
  expect(await upload.answer).toEqual({ status: 200, body: Buffer.from(sent.digest('hex')) })
  expect(rolledInUpload).toBeGreaterThanOrEqual(2)
  expect(rolls()).toBeGreaterThanOrEqual(2)

  // The same connector, by other certificates; the old ones are superseded.
  expect(tunnel.connector.identity.connectorId).toBe(connectorId)
  const certificates = await tunnel.registry.certificates(connectorId)
  expect(certificates.length).toBeGreaterThanOrEqual(3)
  expect(certificates[0]!.serial).toBe(first!.serial)
  expect(certificates[0]!.supersededUntil).toBeDefined()
  expect(new Set(certificates.map(({ keyId }) => keyId)).size).toBe(certificates.length)
  const used = certificates.filter(({ firstUsedAt }) => firstUsedAt !== undefined)
  expect(used.at(-1)!.supersededUntil).toBeUndefined()

  // Nothing failed on the way, and the link never broke.
  const troubles = tunnel.events.filter(({ type }) =>
    ['pull-failed', 'reverted', 'renewal-failed', 'expired', 'exchange-failed'].includes(type),
  )
  expect(troubles).toEqual([])
  expect(
    tunnel.events.flatMap((event) => (event.type === 'link' ? [event.state] : [])),
  ).not.toContain('backoff')
  await until(() => tunnel.cloud.origin.open === 0)
})
