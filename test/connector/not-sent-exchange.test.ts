/** What the worker makes of a backend that says whether anything was sent, and of what an offer tells it. */
import { afterEach, expect, test } from 'vitest'
import { NodeBackend } from '../../src/connector/node/index.ts'
import { Worker, type BackendEvents, type BackendRequest } from '../../src/connector/index.ts'
import {
  requestNumberOf,
  ResetCode,
  type DeclineReason,
  type Offer,
} from '../../src/protocol/internal.ts'
import { until } from '../until.ts'
import { detailsAt } from './node/observed-call.ts'
import { RawApplication } from './node/raw-application.ts'
import { VirtualTime } from './virtual-time.ts'
import { ServedExchange } from './worker-pair.ts'

const closing: (() => unknown)[] = []
afterEach(async () => {
  await Promise.all(closing.splice(0).map((close) => close()))
})

const refusing = async () => {
  const application = await RawApplication.listen()
  const { port } = application
  await application.close()
  return detailsAt(port)
}
const backend = () => {
  const one = new NodeBackend()
  closing.push(() => one.close())
  return one
}

const REQUESTS: readonly (readonly [string, Partial<Offer>, string])[] = [
  ['a GET', {}, ''],
  ['a POST with a body', { method: 'POST', body: { kind: 'length', bytes: 4 } }, 'body'],
  [
    'a POST with a whole first window',
    { method: 'POST', body: { kind: 'streamed' } },
    'x'.repeat(65_536),
  ],
  ['an upgrade', { upgrade: 'websocket' }, ''],
]
test.each(REQUESTS)(
  '%s to an application that refuses connections was not sent',
  async (_, parts, body) => {
    const one = new ServedExchange(backend(), await refusing(), parts)
    if (body !== '') {
      await until(() => one.exchange.writable > 0)
      one.send(body)
      one.end()
    }
    await until(() => one.outcome !== undefined && one.isReleased)
    expect(one.outcome).toMatchObject({
      kind: 'failed',
      notSent: true,
      error: { source: 'application', reason: 'application-unreachable' },
    })
  },
)

test('why it was not sent reaches the user’s end', async () => {
  const application = await RawApplication.listen()
  closing.push(() => application.close())
  const internalUrl = `https://127.0.0.1:${application.port}/`
  const node = new NodeBackend({ connectMs: 50 })
  closing.push(() => node.close())
  const one = new ServedExchange(node, detailsAt(application.port, { internalUrl }))
  await until(() => one.outcome !== undefined)
  expect(one.outcome).toMatchObject({ notSent: true, error: { reason: 'application-timeout' } })
})

/** An offer in the hands of a worker whose backend the test plays. */
function offered(offer: Offer, details: () => Promise<never> | undefined = () => undefined) {
  const time = new VirtualTime()
  const { clocks, scheduler } = time.environment
  const requests: BackendRequest[] = []
  const declines: DeclineReason[] = []
  let releases = 0
  const worker = new Worker({
    ...{ clocks, scheduler },
    applications: { details: () => details() ?? detailsAt(1) },
    backend: {
      call(request) {
        requests.push(request)
        const nothing = () => undefined
        return { write: () => true, end: nothing, pause: nothing, resume: nothing, abort: nothing }
      },
      close: () => Promise.resolve(),
    },
  })
  worker.offered(offer, {
    decline: (reason) => void declines.push(reason),
    claim: () => undefined,
    release: () => void (releases += 1),
  })
  return { time, requests, declines, worker, releases: () => releases }
}
const OFFER: Offer = {
  ...{ id: '7'.repeat(32), attempt: 1, applicationId: 'wiki', applicationVersion: 'v1' },
  ...{ method: 'GET', target: '/', headers: [], body: { kind: 'none' }, upgrade: undefined },
  ...{ user: undefined, remainingMs: 5_000, origin: 'cloud-1' },
}

test.each([
  ['claim it', { remainingMs: 2_000 }],
  ['answer it', { answerMs: 2_000 }],
])('details that are not there while there is time to %s decline the offer', async (_, parts) => {
  const { time, declines, worker, releases } = offered(
    { ...OFFER, ...parts },
    () => new Promise(() => {}),
  )
  await time.pass(1_999)
  expect([declines, worker.busy]).toEqual([[], 1])
  await time.pass(1)
  expect([declines, worker.busy, releases()]).toEqual([['overloaded'], 0, 1])
})

test('details that come too late claim nothing', async () => {
  let come = (_: never): void => undefined
  const { time, declines, requests, releases } = offered(
    OFFER,
    () => new Promise((resolve) => (come = resolve)),
  )
  await time.pass(5_000)
  come(detailsAt(1) as never)
  await time.settled()
  expect([declines, requests, releases()]).toEqual([['overloaded'], [], 1])
})

test('the backend is told who asks, by what number, and how long they wait', async () => {
  let request: BackendRequest | undefined
  let events: BackendEvents | undefined
  const user = { issuer: 'https://sts.example', subject: 'mick', groups: ['staff'] }
  const one = new ServedExchange(
    {
      call(asked, told) {
        ;[request, events] = [asked, told]
        const nothing = () => undefined
        return { write: () => true, end: nothing, pause: nothing, resume: nothing, abort: nothing }
      },
      close: () => Promise.resolve(),
    },
    detailsAt(1),
    { id: '7'.repeat(32), user, answerMs: 3_000 },
  )
  await until(() => request !== undefined)
  expect(request).toMatchObject({ user, exchangeId: '7'.repeat(32) })
  expect(request!.requestNumber).toBe(requestNumberOf('7'.repeat(32)))
  expect(request!.answerMs).toBeGreaterThan(0)
  expect(request!.answerMs).toBeLessThanOrEqual(3_000)
  events!.failed(ResetCode.UNREACHABLE, undefined)
  await until(() => one.outcome !== undefined)
  // Nobody knows whether it was sent.
  expect(one.outcome).toMatchObject({
    kind: 'failed',
    error: { reason: 'application-unreachable' },
  })
  expect(one.outcome).not.toHaveProperty('notSent', true)
})
