/**
 * Two connectors of a group, one of which is of no use: whoever fails, declines or is silent fastest attracts nothing.
 * Judged by what users get, never by how soon.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { request as httpRequest } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterEach, expect, test } from 'vitest'
import {
  ForwardingBackend,
  type BackendCall,
  type BackendEvents,
  type BackendRequest,
} from '../../src/connector/index.ts'
import { NodeBackend } from '../../src/connector/node/index.ts'
import { encodeCredit, encodeDecline, encodeFrame, FrameType } from '../../src/protocol/index.ts'
import { RawLinkPeer } from './raw-link.ts'
import { startRawWorld, type RawWorld } from './raw-world.ts'
import { until } from './tunnel.ts'

/** An application whose name nobody can resolve from here. */
class Elsewhere extends ForwardingBackend {
  asked = 0

  override call(request: BackendRequest, events: BackendEvents): BackendCall {
    this.asked += 1
    const application = { ...request.application, internalUrl: 'http://application.invalid/' }
    return super.call({ ...request, application }, events)
  }
}

const REQUESTS = 200
/** In turn: replayable, with a body of known length, streamed, without a body but unsafe. */
const KINDS = ['GET', 'POST', 'PUT', 'DELETE'] as const

let world: RawWorld
const stateDirectories: string[] = []
let peer: RawLinkPeer | undefined

afterEach(async () => {
  peer?.close()
  peer = undefined
  await world.close()
  for (const path of stateDirectories.splice(0)) await rm(path, { recursive: true, force: true })
})

async function begin(): Promise<void> {
  world = await startRawWorld({
    // What a connector that is silent keeps is 504 soon.
    responseHeadMs: 6_000,
    backend: (request, response) => {
      void text(request).then((body) => response.end(`${request.method} ${request.url} ${body}`))
    },
  })
  await world.startConnector()
}

async function another(backend: ForwardingBackend): Promise<void> {
  const stateDirectory = await mkdtemp(join(tmpdir(), 'app-proxy-'))
  stateDirectories.push(stateDirectory)
  await world.startConnector({ stateDirectory, backend })
}

/** What a user gets for the request of that number. */
function ask(i: number): Promise<string> {
  const method = KINDS[i % KINDS.length]!
  const isStreamed = method === 'PUT'
  const body = method === 'POST' || isStreamed ? `body ${i}` : ''
  const headers = {
    host: 'open.localhost',
    ...(body !== '' && !isStreamed && { 'content-length': String(body.length) }),
  }
  return new Promise((resolve, reject) => {
    const request = httpRequest({
      port: world.port,
      host: '127.0.0.1',
      path: `/${i}`,
      method,
      headers,
    })
    request.on('error', reject)
    request.on('response', (response) => {
      void text(response).then((told) => resolve(`${response.statusCode} ${told}`), reject)
    })
    request.end(body)
  })
}

const expected = (i: number): string => {
  const method = KINDS[i % KINDS.length]!
  return `200 ${method} /${i} ${method === 'POST' || method === 'PUT' ? `body ${i}` : ''}`
}

/** All of them, a few at a time. */
async function askAll(atOnce = 10): Promise<string[]> {
  const answers: string[] = []
  let next = 0
  const worker = async (): Promise<void> => {
    while (next < REQUESTS) {
      const i = next++
      answers[i] = await ask(i)
    }
  }
  await Promise.all(Array.from({ length: atOnce }, worker))
  return answers
}

const wanted = Array.from({ length: REQUESTS }, (_, i) => expected(i))

test('one that cannot resolve the application: every request is answered by the other', async () => {
  await begin()
  const elsewhere = new Elsewhere(new NodeBackend())
  await another(elsewhere)
  expect(await askAll()).toEqual(wanted)
  expect(elsewhere.asked).toBeGreaterThan(0)
}, 120_000)

test('one that declines everything, with 5,000 grants against 200: every request is answered by the other', async () => {
  await begin()
  peer = await RawLinkPeer.dial(world, await world.enrol(), 5_000)
  let declined = 0
  peer.offered = ({ id, attempt }) => {
    declined += 1
    const decline = encodeDecline({ id, attempt, reason: 'unknown-application' })
    peer!.write(
      encodeFrame(FrameType.DECLINE, 0, 0, decline),
      encodeFrame(FrameType.CREDIT, 0, 0, encodeCredit(1)),
    )
  }
  expect(await askAll()).toEqual(wanted)
  expect(declined).toBeGreaterThan(0)
}, 120_000)

test('one that claims and never answers: every replayable request is answered, and of the others its ramp is lost', async () => {
  await begin()
  peer = await RawLinkPeer.dial(world, await world.enrol(), 1_000)
  const claimed: string[] = []
  peer.offered = (offer) => {
    claimed.push(offer.method)
    peer!.write(peer!.claim(offer).frame)
  }
  const answers = await askAll()
  await until(() => claimed.length > 0)
  const lost = answers.flatMap((told, i) =>
    told === expected(i) ? [] : [KINDS[i % KINDS.length]!],
  )
  expect(lost).not.toContain('GET')
  // Four unanswered at first; after a fault as many again, each time it is tried once more.
  expect(lost.length).toBeLessThanOrEqual(8)
}, 180_000)
