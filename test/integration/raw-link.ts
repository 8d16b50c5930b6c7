import { connect as connectTls, type TLSSocket } from 'node:tls'
import {
  decodeOffer,
  encodeFrame,
  encodeClaim,
  encodeHello,
  FrameReader,
  FrameType,
  type Offer,
} from '../../src/protocol/internal.ts'
import type { Enrolled, RawWorld } from './raw-world.ts'
import { until } from '../until.ts'

const UPGRADE =
  'GET /link HTTP/1.1\r\nHost: cloud\r\nConnection: Upgrade\r\nUpgrade: app-proxy/1\r\n\r\n'

/** A connector that speaks the link binding by hand, and says whatever a test wants it to. */
export class RawLinkPeer {
  readonly offers: Offer[] = []
  readonly frames: FrameType[] = []
  isClosed = false
  /** Told of each offer as it comes. */
  offered: ((offer: Offer) => void) | undefined
  readonly #socket: TLSSocket
  #number = 0

  private constructor(socket: TLSSocket) {
    this.#socket = socket
    const reader = new FrameReader({
      frame: (type, _flags, _number, payload) => {
        this.frames.push(type)
        if (type !== FrameType.OFFER) return
        const offer = decodeOffer(payload)
        this.offers.push(offer)
        this.offered?.(offer)
      },
      data: () => undefined,
    })
    let head: Buffer | undefined = Buffer.alloc(0)
    socket.on('data', (chunk: Buffer) => {
      if (head === undefined) return void reader.push(chunk)
      head = Buffer.concat([head, chunk])
      const end = head.indexOf('\r\n\r\n')
      if (end === -1) return
      reader.push(head.subarray(end + 4))
      head = undefined
    })
    socket.on('error', () => undefined)
    socket.on('close', () => (this.isClosed = true))
  }

  /** Connects, says HELLO and waits for WELCOME. */
  static async dial(
    world: Pick<RawWorld, 'connectorUrl' | 'ca'>,
    { key, cert }: Pick<Enrolled, 'key' | 'cert'>,
    offers = 1_000,
    features: readonly string[] = [],
  ): Promise<RawLinkPeer> {
    const { port, hostname: host } = new URL(world.connectorUrl)
    const peer = new RawLinkPeer(connectTls({ host, port: Number(port), ca: world.ca, key, cert }))
    const hello = encodeHello({
      versions: [1],
      run: 'raw',
      index: 0,
      epoch: 1,
      offers,
      granted: offers,
      maxDataBytes: 16_384,
      features,
    })
    peer.write(Buffer.from(UPGRADE), encodeFrame(FrameType.HELLO, 0, 0, hello))
    await until(() => peer.frames.includes(FrameType.WELCOME))
    return peer
  }

  /** In one write, so that they arrive together. */
  write(...octets: readonly Uint8Array[]): void {
    this.#socket.write(Buffer.concat(octets))
  }

  async offer(): Promise<Offer> {
    await until(() => this.offers.length > 0)
    return this.offers.shift()!
  }

  /** A number of its own for a claim of `offer`, and the frame that says so. */
  claim({ id, attempt }: Offer): { number: number; frame: Uint8Array } {
    const number = ++this.#number
    const claim = encodeClaim({ id, attempt, credit: 0 })
    return { number, frame: encodeFrame(FrameType.CLAIM, 0, number, claim) }
  }

  close(): void {
    this.#socket.destroy()
  }
}
