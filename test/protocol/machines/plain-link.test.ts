/** Both ends of a link over the plain binding, joined by nothing but octets, in virtual time. */
import { describe, expect, test } from 'vitest'
import {
  AcceptedStream,
  DATA_BYTES,
  DialledStream,
  encodeFrame,
  encodeOffer,
  encodeWelcome,
  FrameType,
  MAX_DATA_BYTES,
  PeerViolation,
  PlainAcceptedLink,
  PlainDialledLink,
  succession,
  type Hello,
  type LinkEnd,
  type Offer,
  type PlainDialledLinkPort,
  type Welcome,
} from '../../../src/protocol/internal.ts'

const HELLO: Hello = {
  ...{ versions: [1], run: 'process', index: 0, epoch: 1, offers: 8, granted: 8 },
  ...{ maxDataBytes: MAX_DATA_BYTES, features: ['plain'] },
}
const WELCOME: Omit<Welcome, 'maxDataBytes'> = {
  ...{ version: 1, instance: 'cloud-1', windowBytes: 65_536, pingMs: 2_000, leaseMs: 4_000 },
  features: ['plain'],
}
const OFFER: Offer = {
  ...{ id: '0'.repeat(32), attempt: 1, applicationId: 'app', applicationVersion: '1' },
  ...{ method: 'GET', target: '/', headers: [], user: undefined, body: { kind: 'none' } },
  ...{ upgrade: undefined, remainingMs: 5_000, origin: 'cloud-1' },
}
const frame = (type: FrameType, payload?: Uint8Array) => encodeFrame(type, 0, 0, payload)

/** A connector's end, whose calls a test answers. */
class Connector implements PlainDialledLinkPort {
  readonly told: string[] = []
  readonly hellos: Hello[] = []
  readonly streams: DialledStream[] = []
  readonly offers: Offer[] = []
  free: number
  end: LinkEnd | undefined
  readonly link: PlainDialledLink

  constructor(hello = HELLO) {
    this.free = hello.granted
    this.link = new PlainDialledLink(this, hello, 10_000)
    this.link.dial(0)
  }

  call(stream: DialledStream, hello: Hello): void {
    this.streams.push(stream)
    this.hellos.push(hello)
  }
  cut(stream: DialledStream): void {
    this.told.push(`cut ${this.streams.indexOf(stream)}`)
  }
  credit(offers: number): void {
    this.told.push(`credit ${offers}`)
  }
  goodbye(): void {
    this.told.push('goodbye')
  }
  welcome(): void {
    this.told.push('welcome')
  }
  offer(offer: Offer): void {
    this.offers.push(offer)
    this.free -= 1
  }
  hint(version: string): void {
    this.told.push(`hint ${version}`)
  }
  draining(): void {
    this.told.push('draining')
  }
  closed(end: LinkEnd): void {
    this.end = end
  }

  /** The cloud answers the newest stream, by hand. */
  greet(welcome: Partial<Welcome> = {}, now = 0): void {
    const stream = this.streams.at(-1)!
    stream.answered()
    const said = { ...WELCOME, maxDataBytes: MAX_DATA_BYTES, ...welcome }
    stream.receive(frame(FrameType.WELCOME, encodeWelcome(said)), now)
  }
}

/** A cloud's end, and what its streams were told. */
class Cloud {
  readonly told: string[] = []
  readonly written: Uint8Array[] = []
  end: LinkEnd | undefined
  readonly link: PlainAcceptedLink

  constructor(hello = HELLO) {
    this.link = new PlainAcceptedLink(
      {
        granted: () => void this.told.push(`granted ${this.link.grants}`),
        closed: (end) => (this.end = end),
      },
      ...([hello, WELCOME] as const),
    )
  }

  stream(now = 0, hello = HELLO, pipe?: (octets: Uint8Array) => void): AcceptedStream {
    const port = {
      write: (octets: Uint8Array) => {
        this.written.push(octets)
        pipe?.(octets)
      },
      end: () => void this.told.push('end'),
      cut: () => void this.told.push('cut'),
    }
    return this.link.stream(port, hello, now)
  }
}

/** Whatever the connector calls for, the cloud answers. */
function pair(): { cloud: Cloud; connector: Connector } {
  const connector = new Connector()
  const cloud = new Cloud()
  connector.streams[0]!.answered()
  cloud.stream(0, HELLO, (octets) => connector.streams[0]!.receive(octets, 0))
  return { cloud, connector }
}

describe('grants', () => {
  test('are spent at both ends alike', () => {
    const { cloud, connector } = pair()
    expect([cloud.link.grants, cloud.told]).toEqual([8, ['granted 8']])
    cloud.link.offer(OFFER)
    expect(cloud.link.grants).toBe(7)
    expect(connector.offers).toEqual([OFFER])
  })

  test('an offer that nobody granted ends the link', () => {
    const connector = new Connector({ ...HELLO, granted: 1 })
    connector.greet()
    const offer = frame(FrameType.OFFER, encodeOffer(OFFER))
    connector.streams[0]!.receive(offer, 0)
    expect(connector.offers).toHaveLength(1)
    connector.streams[0]!.receive(offer, 0)
    expect(connector.offers).toHaveLength(1)
    expect(connector.end).toMatchObject({
      reason: 'violation',
      cause: { reason: 'GRANT_EXCEEDED' },
    })
  })

  test('more than HELLO said is taken are refused, and change nothing', () => {
    const cloud = new Cloud({ ...HELLO, granted: 5 })
    cloud.stream()
    expect(() => cloud.link.granted(4)).toThrow(PeerViolation)
    cloud.link.granted(3)
    expect(cloud.link.grants).toBe(8)
  })

  test('a quarter of the slots is granted at once, fewer a little later', () => {
    const { cloud, connector } = pair()
    for (let n = 0; n < 3; n++) cloud.link.offer(OFFER)
    connector.free += 1
    connector.link.freed(100)
    expect(connector.told).toEqual(['welcome'])
    expect(connector.link.deadline).toBe(350)
    connector.link.tick(350)
    expect(connector.told).toEqual(['welcome', 'credit 1'])
    connector.free += 2
    connector.link.freed(400)
    expect(connector.told.at(-1)).toBe('credit 2')
  })

  test('what was granted says the query of every stream, and it does not change until WELCOME', () => {
    const { cloud, connector } = pair()
    for (let n = 0; n < 6; n++) cloud.link.offer(OFFER)
    connector.link.tick(3_000)
    expect(connector.hellos.map(({ granted }) => granted)).toEqual([8, 2])
    connector.free += 4
    connector.link.freed(3_010)
    connector.link.tick(3_500)
    expect(connector.told).toEqual(['welcome'])
    connector.greet({}, 3_600)
    connector.link.tick(3_600)
    expect(connector.told).toEqual(['welcome', 'credit 4'])
  })

  test('the cloud never counts more than a fresh stream says', () => {
    const cloud = new Cloud()
    cloud.stream()
    cloud.stream(3_000, { ...HELLO, granted: 2 })
    expect(cloud.link.grants).toBe(2)
    cloud.stream(6_000, { ...HELLO, granted: 8 })
    expect(cloud.link.grants).toBe(2)
  })

  test('a grant that may not have arrived ends the link', () => {
    const { connector } = pair()
    connector.link.credited(true)
    expect(connector.end).toBeUndefined()
    connector.link.credited(false)
    expect([connector.end?.reason, connector.told.at(-1)]).toEqual(['lost', 'cut 0'])
  })
})

describe('streams', () => {
  test('the agreed size of DATA is the smaller one', () => {
    const connector = new Connector()
    expect(connector.link.maxDataBytes).toBe(DATA_BYTES)
    connector.greet({ maxDataBytes: 20_000 })
    expect(connector.link.maxDataBytes).toBe(20_000)
  })

  test('a successor is opened at three quarters of the lease, once', () => {
    const { connector } = pair()
    expect(connector.link.deadline).toBe(3_000)
    connector.link.tick(2_999)
    expect(connector.streams).toHaveLength(1)
    connector.link.tick(3_000)
    connector.link.tick(3_010)
    expect(connector.streams).toHaveLength(2)
    connector.streams[0]!.gone(new Error('the lease is over'))
    expect(connector.end).toBeUndefined()
    connector.streams[1]!.gone(new Error('and the successor came to nothing'))
    expect(connector.end).toMatchObject({ reason: 'lost' })
  })

  test('one that is silent for two and a half pings is over', () => {
    const { connector } = pair()
    connector.link.tick(5_000)
    expect([connector.end?.reason, connector.told.at(-1)]).toEqual(['silent', 'cut 0'])
  })

  test('one whose WELCOME does not come is over', () => {
    const connector = new Connector()
    connector.streams[0]!.answered()
    connector.link.tick(9_999)
    expect(connector.end).toBeUndefined()
    connector.link.tick(10_000)
    expect(connector.end?.reason).toBe('silent')
  })

  test.each([
    ['a frame before WELCOME', [frame(FrameType.DRAIN)], 'UNEXPECTED_EVENT'],
    ['DATA', [frame(FrameType.DATA, new Uint8Array(1))], 'UNEXPECTED_EVENT'],
    ['a PING of other than eight octets', ['greet', frame(FrameType.PING)], 'MALFORMED_FRAME'],
    [
      'a DRAIN with a payload',
      ['greet', frame(FrameType.DRAIN, new Uint8Array(1))],
      'MALFORMED_FRAME',
    ],
    ['a frame of an exchange', ['greet', frame(FrameType.CONFIRM)], 'UNEXPECTED_EVENT'],
  ] as const)('%s ends the link', (_, what, reason) => {
    const connector = new Connector()
    if (what[0] === 'greet') connector.greet()
    else connector.streams[0]!.answered()
    connector.streams[0]!.receive(what.at(-1) as Uint8Array, 0)
    expect(connector.end).toMatchObject({ reason: 'violation', cause: { reason } })
  })

  test('a second WELCOME, a version nobody asked for and a lease of nothing end the link', () => {
    for (const welcomes of [[{}, {}], [{ version: 9 }], [{ leaseMs: 0 }]]) {
      const connector = new Connector()
      connector.streams[0]!.answered()
      for (const each of welcomes) {
        const said = { ...WELCOME, maxDataBytes: MAX_DATA_BYTES, ...each }
        connector.streams[0]!.receive(frame(FrameType.WELCOME, encodeWelcome(said)), 0)
      }
      expect(connector.end).toMatchObject({ reason: 'violation' })
    }
  })

  test('the cloud pings, ends them with their lease, and cuts whoever does not take the end', () => {
    const cloud = new Cloud()
    const stream = cloud.stream()
    expect(cloud.link.deadline).toBe(2_000)
    cloud.link.tick(2_000)
    expect(cloud.written.at(-1)![3]).toBe(FrameType.PING)
    cloud.link.tick(4_000)
    expect(cloud.told).toEqual(['granted 8', 'end'])
    expect(cloud.link.deadline).toBe(5_000)
    cloud.link.tick(5_000)
    expect(cloud.told).toEqual(['granted 8', 'end', 'cut'])
    cloud.link.gone(stream)
    expect([cloud.end, cloud.link.deadline]).toEqual([{ reason: 'lost' }, Infinity])
  })

  test('offers go to the newest, and of more than four the oldest ends', () => {
    const cloud = new Cloud()
    const came: number[] = []
    for (let n = 0; n < 5; n++) cloud.stream(0, HELLO, () => void came.push(n))
    expect(cloud.told).toEqual(['granted 8', 'end'])
    cloud.link.offer(OFFER)
    expect(came).toEqual([0, 1, 2, 3, 4, 4])
  })
})

describe('the end', () => {
  test('a goodbye ends the streams behind what was offered, and the link at once', () => {
    const cloud = new Cloud()
    cloud.stream()
    cloud.link.offer(OFFER)
    cloud.link.goodbye(0)
    expect([cloud.end, cloud.link.grants]).toEqual([{ reason: 'drained' }, 0])
    expect(cloud.told.at(-1)).toBe('end')
  })

  test('a connector says goodbye once, and takes what was offered before', () => {
    const { cloud, connector } = pair()
    connector.link.drain(0)
    connector.link.drain(0)
    expect(connector.told).toEqual(['welcome', 'goodbye'])
    cloud.link.offer(OFFER)
    expect(connector.offers).toHaveLength(1)
    connector.streams[0]!.gone(undefined)
    expect(connector.end).toEqual({ reason: 'drained' })
  })

  test('the goodbye waits for a stream that is on its way', () => {
    const { connector } = pair()
    connector.link.tick(3_000)
    connector.link.drain(3_001)
    expect(connector.told).not.toContain('goodbye')
    connector.greet({}, 3_100)
    expect(connector.told).toContain('goodbye')
  })

  test('also for the first one: the cloud may have opened the link', () => {
    const connector = new Connector()
    connector.link.drain(0)
    expect(connector.told).toEqual([])
    connector.greet()
    expect(connector.told).toEqual(['goodbye'])
  })

  test('a goodbye that nobody hears cuts the streams', () => {
    const refused = pair().connector
    refused.link.drain(0)
    refused.link.left(false)
    expect(refused.told.at(-1)).toBe('cut 0')
    const unheard = pair().connector
    unheard.link.drain(100)
    expect(unheard.link.deadline).toBe(2_100)
    unheard.link.tick(2_100)
    expect(unheard.told.at(-1)).toBe('cut 0')
  })

  test('a cloud that drains says so, and what it offered may still be claimed', () => {
    const { cloud, connector } = pair()
    cloud.link.offer(OFFER)
    cloud.link.drain()
    cloud.link.drain()
    expect(connector.told).toEqual(['welcome', 'draining'])
    expect([cloud.link.grants, cloud.end, connector.link.state]).toEqual([0, undefined, 'draining'])
    connector.link.freed(0)
    connector.link.tick(300)
    connector.link.drain(300)
    expect(connector.told).toEqual(['welcome', 'draining', 'goodbye'])
  })

  test('after it nothing is said', () => {
    const cloud = new Cloud()
    const stream = cloud.stream()
    cloud.link.cut()
    cloud.link.hint('2')
    cloud.link.drain()
    cloud.link.goodbye(0)
    cloud.link.granted(0)
    cloud.link.gone(stream)
    expect([cloud.end, cloud.told]).toEqual([{ reason: 'closed' }, ['granted 8', 'cut']])
  })
})

test.each([
  ['same', {}],
  ['successor', { epoch: 2 }],
  ['earlier', { epoch: 0 }],
  ['unrelated', { run: 'another', epoch: 2 }],
  ['unrelated', { index: 1 }],
] as const)('a greeting is %s of %o', (is, other) => {
  expect(succession(HELLO, { ...HELLO, ...other })).toBe(is)
})
