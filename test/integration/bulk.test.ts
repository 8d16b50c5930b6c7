import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { request as httpRequest, type IncomingMessage } from 'node:http'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Example, startProcesses, type Processes } from './processes.ts'

const MIB = 1024 * 1024
const WARM_UP_BYTES = 64 * MIB
const BULK_BYTES = 1024 * MIB
const BLOCK_BYTES = 64 * 1024
/** How far a process may grow while a body passes through it, whatever its length. */
const GROWTH_BYTES = 64 * MIB

let intranet: Example<{ url: string }>
let processes: Processes
let connector: Example

beforeAll(async () => {
  intranet = await Example.start('intranet', [])
  processes = await startProcesses({ internalUrl: `${intranet.ready.url}/` })
  connector = await processes.startConnector()
  await upload(WARM_UP_BYTES)
  await download(WARM_UP_BYTES)
})
afterAll(async () => {
  await processes.close()
  await intranet.stop()
})

test('1 GiB goes up and 1 GiB comes down, whole, and no process grows by 64 MiB', async () => {
  const up = await measured('up', () => upload(BULK_BYTES))
  const down = await measured('down', () => download(BULK_BYTES))
  for (const grown of [...up, ...down]) expect(grown).toBeLessThan(GROWTH_BYTES)
}, 300_000)

/** Sends `bytes` octets as fast as they are taken; both ends must have seen the same. */
async function upload(bytes: number): Promise<void> {
  const request = call('POST', '/upload', { 'content-length': bytes })
  const hash = createHash('sha256')
  for (let sent = 0; sent < bytes; sent += BLOCK_BYTES) {
    // No two blocks alike, and each a buffer of its own: the stream may still hold the one before.
    const block = Buffer.alloc(BLOCK_BYTES, sent.toString())
    hash.update(block)
    if (!request.write(block)) await once(request, 'drain')
  }
  request.end()
  const [response] = (await once(request, 'response')) as [IncomingMessage]
  const answer: unknown = JSON.parse((await response.setEncoding('utf8').toArray()).join(''))
  expect(answer).toEqual({ bytes, sha256: hash.digest('hex') })
}

async function download(bytes: number): Promise<void> {
  const request = call('GET', `/download?bytes=${bytes}`).end()
  const [response] = (await once(request, 'response')) as [IncomingMessage]
  const hash = createHash('sha256')
  let received = 0
  for await (const chunk of response as AsyncIterable<Buffer>) {
    hash.update(chunk)
    received += chunk.length
  }
  expect(received).toBe(bytes)
  expect(response.headers['repr-digest']).toBe(`sha-256=:${hash.digest('base64')}:`)
}

function call(method: string, path: string, headers: Record<string, string | number> = {}) {
  return httpRequest({
    host: '127.0.0.1',
    port: processes.port,
    method,
    path,
    headers: { host: 'open.localhost', ...headers },
  })
}

/** Looks at cloud and connector each 100 ms; how far each grew at most. */
async function measured(way: string, transfer: () => Promise<void>): Promise<number[]> {
  const watched = { cloud: processes.cloud, connector }
  const before = Object.values(watched).map((process) => process.residentBytes)
  const processorBefore = Object.values(watched).map((process) => process.processorSeconds)
  const grown = before.map(() => 0)
  const look = () => {
    Object.values(watched).forEach((process, i) => {
      grown[i] = Math.max(grown[i]!, process.residentBytes - before[i]!)
    })
  }
  const timer = setInterval(look, 100)
  const start = performance.now()
  await transfer()
  const seconds = (performance.now() - start) / 1000
  clearInterval(timer)
  look()
  const each = Object.entries(watched).map(([name, process], i) => {
    const processor = process.processorSeconds - processorBefore[i]!
    return `${name} ${mib(before[i]!)} + ${mib(grown[i]!)} MiB, ${processor.toFixed(1)} s CPU`
  })
  console.log(`${way}: ${(BULK_BYTES / MIB / seconds).toFixed(0)} MiB/s; ${each.join('; ')}`)
  return grown
}

const mib = (bytes: number) => (bytes / MIB).toFixed(0)
