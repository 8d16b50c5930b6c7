/** What a connector may say for an answer, and what its user gets of it, over either binding. */
import { connect as connectHttp2 } from 'node:http2'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import {
  encodeClaim,
  encodeFrame,
  encodeResponseHead,
  encodeTrailers,
  FrameFlag,
  FrameType,
  ResetCode,
} from '../../src/protocol/internal.ts'
import { RawLinkPeer } from './raw-link.ts'
import { startRawWorld, type RawWorld, type UserAnswer } from './raw-world.ts'
import { until } from './tunnel.ts'

type Say = readonly [type: FrameType, payload: Uint8Array, flags?: number]

let world: RawWorld
let faults: unknown[] = []
const fault = (error: unknown) => faults.push(error)
beforeEach(() => {
  faults = []
  process.on('uncaughtExceptionMonitor', fault)
})
afterEach(async () => {
  await until(() => world.cloud.origin.open === 0)
  process.off('uncaughtExceptionMonitor', fault)
  expect(faults).toEqual([])
})

const head = (status = 200, headers: readonly string[] = []): Say => [
  FrameType.RESPONSE,
  encodeResponseHead({ status, headers }),
]
const whole = (headers: readonly string[]): Say => [
  FrameType.RESPONSE,
  encodeResponseHead({ status: 200, headers }),
  FrameFlag.END,
]
const interim: Say = [FrameType.INFORMATIONAL, encodeResponseHead({ status: 103, headers: [] })]
const data = (text: string, end = false): Say => [
  FrameType.DATA,
  Buffer.from(text),
  end ? FrameFlag.END : 0,
]
const trailers = (fields: readonly string[], flags: number): Say => [
  FrameType.TRAILERS,
  encodeTrailers(fields),
  flags,
]
const reset = (code: number): Say => {
  const octets = Buffer.alloc(4)
  octets.writeUInt32BE(code)
  return [FrameType.RESET, octets]
}

describe.each(['link', 'plain'] as const)('over the %s binding', (binding) => {
  /** One GET of a user, claimed and answered by these frames. */
  let ask: (say: readonly Say[], method?: string) => Promise<UserAnswer>
  let close: () => void
  beforeAll(async () => {
    world = await startRawWorld()
    const enrolled = await world.enrol()
    if (binding === 'link') {
      const peer = await RawLinkPeer.dial(world, enrolled)
      close = () => peer.close()
      ask = async (say, method = 'GET') => {
        const answer = world.user('/', { method })
        const { number, frame } = peer.claim(await peer.offer())
        const frames = say.map(([type, payload, flags = 0]) =>
          encodeFrame(type, flags, number, payload),
        )
        peer.write(frame, ...frames)
        const told = await answer
        expect(peer.isClosed).toBe(false)
        return told
      }
      return
    }
    const connector = world.connect(enrolled)
    const link = await connector.link('raw-0', 1_000)
    close = () => connector.close()
    ask = async (say, method = 'GET') => {
      const answer = world.user('/', { method })
      const offer = await link.offer()
      const call = connector.answer(offer.id)
      const claim = encodeClaim({ id: offer.id, attempt: offer.attempt, credit: 0 })
      call.send(
        encodeFrame(FrameType.CLAIM, 0, 0, claim),
        ...say.map(([type, payload, flags = 0]) => encodeFrame(type, flags, 0, payload)),
      )
      const told = await answer
      call.request.destroy()
      expect(link.isClosed).toBe(false)
      return told
    }
  })
  afterAll(async () => {
    close()
    await world.close()
  })

  const code = ({ body }: UserAnswer) => (JSON.parse(body.toString()) as { code: string }).code
  const STATUS: Readonly<Record<number, readonly [number, string]>> = {
    [ResetCode.VIOLATION]: [502, 'connector-violation'],
    [ResetCode.TIMEOUT]: [504, 'application-timeout'],
    [ResetCode.UNREACHABLE]: [502, 'application-unreachable'],
    [ResetCode.APPLICATION_ABORTED]: [502, 'application-aborted'],
    [ResetCode.APPLICATION_MALFORMED]: [502, 'application-malformed'],
    [ResetCode.UNSUPPORTED]: [501, 'upgrade-unsupported'],
    [ResetCode.APPLICATION_CERTIFICATE]: [502, 'application-certificate'],
    [ResetCode.CONNECTOR_EXHAUSTED]: [502, 'connector-exhausted'],
  }
  /** After an interim answer nobody can say any more that nothing was sent. */
  const told = (n: number, interims: number): readonly [number, string] => {
    if (n !== ResetCode.NOT_SENT) return STATUS[n] ?? [502, 'connector-aborted']
    return [502, interims === 0 ? 'application-unreachable' : 'connector-violation']
  }
  const CODES = [...Array.from({ length: 14 }, (_, i) => i), 499, 2 ** 31, 2 ** 32 - 1]

  test.each(CODES)(
    'RESET %i: before the head a page that names who gave up, behind it a break',
    async (n) => {
      for (const before of [[], [interim], [interim, interim]]) {
        const [status, reason] = told(n, before.length)
        const answer = await ask([...before, reset(n)])
        expect([answer.status, code(answer), answer.broken]).toEqual([status, reason, false])
      }
      for (const begun of [
        [head()],
        [head(200, ['Content-Length', '10']), data('half')],
        [head(), data('some')],
      ])
        expect(await ask([...begun, reset(n)])).toMatchObject({ broken: true })
    },
  )

  const VIOLATION = [502, 'connector-violation', false]
  test.each<[string, readonly Say[]]>([
    [
      'a length that is no number',
      [head(200, ['Content-Length', 'ten']), data('0123456789', true)],
    ],
    ['a length below nothing', [head(200, ['Content-Length', '-1']), data('', true)]],
    ['a length with a sign', [head(200, ['Content-Length', '+1']), data('x', true)]],
    ['a length in hexadecimal', [head(200, ['Content-Length', '0x1']), data('x', true)]],
    ['a length that is empty', [head(200, ['Content-Length', '']), data('x', true)]],
    [
      'a length too long to count',
      [head(200, ['Content-Length', '9'.repeat(30)]), data('x', true)],
    ],
    ['a list of lengths', [head(200, ['Content-Length', '1, 1']), data('x', true)]],
    ['two lengths', [head(200, ['Content-Length', '1', 'content-length', '2']), data('x', true)]],
    [
      'one length twice',
      [head(200, ['Content-Length', '1', 'Content-Length', '1']), data('x', true)],
    ],
    [
      'a length beside a coding',
      [head(200, ['Content-Length', '1', 'Transfer-Encoding', 'chunked']), data('x', true)],
    ],
    ['a length, and an end without a body', [whole(['Content-Length', '5'])]],
    [
      '5,000 fields of one name',
      [whole(Array.from({ length: 10_000 }, (_, i) => (i % 2 ? '' : 'a')))],
    ],
    [
      '5,000 fields in an interim answer',
      [
        [
          FrameType.INFORMATIONAL,
          encodeResponseHead({
            status: 103,
            headers: Array.from({ length: 10_000 }, (_, i) => (i % 2 ? '' : 'a')),
          }),
        ],
      ],
    ],
  ])('%s: 502', async (_, say) => {
    const told = await ask(say)
    expect([told.status, code(told), told.broken]).toEqual(VIOLATION)
  })

  test.each<[string, readonly Say[]]>([
    ['a body shorter than its length', [head(200, ['Content-Length', '5']), data('abc', true)]],
    ['a body longer than its length', [head(200, ['Content-Length', '2']), data('abc', true)]],
    ['trailers that are no end', [head(), data('abc'), trailers(['A', 'b'], 0)]],
    [
      '5,000 trailers',
      [
        head(),
        data('abc'),
        trailers(
          Array.from({ length: 10_000 }, (_, i) => (i % 2 ? '' : 'a')),
          FrameFlag.END,
        ),
      ],
    ],
  ])('%s: broken off', async (_, say) => {
    expect(await ask(say)).toMatchObject({ broken: true })
  })

  test('the length of what a HEAD does not bring is passed on', async () => {
    expect(await ask([whole(['Content-Length', '5'])], 'HEAD')).toMatchObject({
      status: 200,
      broken: false,
    })
  })
})

test('1,000 cookies reach a user of HTTP/2, each by itself', async () => {
  world = await startRawWorld()
  const peer = await RawLinkPeer.dial(world, await world.enrol())
  const session = connectHttp2(`https://127.0.0.1:${world.tlsPort}`, {
    rejectUnauthorized: false,
    // Node's client would take 128 fields.
    maxHeaderListPairs: 2_000,
    settings: { maxHeaderListSize: 1024 * 1024 },
  })
  const stream = session.request({ ':path': '/', ':authority': 'open.localhost' })
  const cookies: string[] = []
  stream.on('response', (fields) => cookies.push(...(fields['set-cookie'] ?? [])))
  const { number, frame } = peer.claim(await peer.offer())
  const list = Array.from({ length: 1_000 }, (_, i) => ['Set-Cookie', `c${i}=1`]).flat()
  const [type, payload, flags] = whole(list)
  peer.write(frame, encodeFrame(type, flags!, number, payload))
  await until(() => cookies.length > 0)
  expect(cookies).toEqual(Array.from({ length: 1_000 }, (_, i) => `c${i}=1`))
  session.destroy()
  peer.close()
  await world.close()
})
