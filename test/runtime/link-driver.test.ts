/** Links over a transport that is no stream: both ends are real, time passes when told to. */
import { beforeEach, describe, expect, test } from 'vitest'
import {
  AcceptedLink,
  DialledLink,
  LINK_FEATURES,
  MAX_DATA_BYTES,
  PROTOCOL_VERSION,
  TRANSPORT_ROOM_BYTES,
  type LinkEnd,
  type LinkEndpoint,
} from '../../src/protocol/internal.ts'
import { LinkDriver } from '../../src/runtime/link-driver.ts'
import { VirtualTime } from '../connector/virtual-time.ts'

const nothing = () => undefined
const HELLO = {
  ...{ versions: [PROTOCOL_VERSION], run: 'r', index: 0, epoch: 1, offers: 1, granted: 1 },
  ...{ maxDataBytes: MAX_DATA_BYTES, features: LINK_FEATURES },
}
const WELCOME = {
  ...{ version: PROTOCOL_VERSION, instance: 'cloud-1', windowBytes: 65_536, leaseMs: 0 },
  ...{ maxDataBytes: MAX_DATA_BYTES, pingMs: 15_000, features: LINK_FEATURES },
}

/** One end: its driver, what became of its link, and how often its transport was ended. */
class End {
  other!: End
  readonly driver: LinkDriver
  readonly ends: LinkEnd[] = []
  closes = 0
  isDeaf = false

  constructor(time: VirtualTime) {
    this.driver = new LinkDriver(
      {
        send: (octets) => {
          if (!this.other.isDeaf) queueMicrotask(() => this.other.driver.received(octets))
        },
        close: () => {
          this.closes += 1
          queueMicrotask(() => this.other.driver.lost())
        },
      },
      time.environment,
    )
  }

  readonly told = {
    wake: () => this.driver.wake(),
    closed: (end: LinkEnd) => {
      this.ends.push(end)
      this.driver.closed(end)
    },
  }
}

let time: VirtualTime
let cloud: End
let connector: End
let welcomes: number
let links: { readonly cloud: AcceptedLink; readonly connector: DialledLink }

beforeEach(async () => {
  time = new VirtualTime()
  cloud = new End(time)
  connector = new End(time)
  cloud.other = connector
  connector.other = cloud
  welcomes = 0
  links = {
    cloud: new AcceptedLink(
      { ...cloud.told, hello: () => WELCOME, claim: nothing, decline: nothing, granted: nothing },
      15_000,
      time.now,
    ),
    connector: new DialledLink(
      {
        ...connector.told,
        ...{ welcome: () => (welcomes += 1), offer: nothing, hint: nothing, draining: nothing },
      },
      HELLO,
      15_000,
      time.now,
    ),
  }
  cloud.driver.drive(links.cloud)
  connector.driver.drive(links.connector)
  await time.settled()
})

test('greetings pass, and the link lives as long as both are heard', async () => {
  expect([welcomes, links.cloud.state, links.connector.state]).toEqual([1, 'open', 'open'])
  await time.pass(300_000)
  expect([links.cloud.state, links.connector.state]).toEqual(['open', 'open'])
})

test('a peer that is not heard any more is given up, and its transport ended', async () => {
  cloud.isDeaf = true
  connector.isDeaf = true
  await time.pass(120_000)
  // Whoever finds out first ends the transport, which the other is told.
  const reasons = [...cloud.ends, ...connector.ends].map(({ reason }) => reason)
  expect(reasons.sort()).toEqual(['lost', 'silent'])
  expect(cloud.closes + connector.closes).toBe(1)
})

test('a link that is closed says so before its transport ends', async () => {
  links.connector.close()
  await time.settled()
  expect(connector.closes).toBe(1)
  expect(cloud.ends).toHaveLength(1)
  expect(time.timers).toBe(0)
})

test('a transport that breaks ends both, and nothing is sent any more', async () => {
  connector.driver.lost(new Error('gone'))
  cloud.driver.lost()
  await time.settled()
  expect(connector.ends).toMatchObject([{ reason: 'lost', cause: new Error('gone') }])
  expect([cloud.ends.length, cloud.closes, connector.closes]).toEqual([1, 0, 0])
  expect(time.timers).toBe(0)
})

describe('a transport that is full', () => {
  /** An end that has more to say than fits. */
  class Talker {
    left = 8
    readonly rooms: number[] = []
    readonly deadline = Infinity
    takeOutput(room: number): Uint8Array[] {
      this.rooms.push(room)
      const pieces = []
      for (let taken = 0; taken < room && this.left > 0; taken += 65_536, this.left--)
        pieces.push(new Uint8Array(65_536))
      return pieces
    }
    get hasMore(): boolean {
      return this.left > 0
    }
  }
  let unsent: number
  let talker: Talker
  let driver: LinkDriver
  beforeEach(async () => {
    unsent = 0
    talker = new Talker()
    driver = new LinkDriver(
      {
        send: (octets) => void (unsent += octets.length),
        unsentBytes: () => unsent,
        close: nothing,
      },
      time.environment,
    )
    driver.drive(talker as unknown as LinkEndpoint)
    await time.settled()
  })

  test('is given no more, and looked at again until it has room', async () => {
    expect([unsent, talker.left]).toEqual([TRANSPORT_ROOM_BYTES, 4])
    await time.pass(50)
    expect(talker.left).toBe(4)
    unsent = 0
    await time.pass(50)
    expect([unsent, talker.left]).toEqual([TRANSPORT_ROOM_BYTES, 0])
  })

  test('may say so itself', async () => {
    unsent = 0
    driver.drained()
    expect(talker.left).toBe(0)
  })
})
