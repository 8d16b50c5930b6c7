import { connect } from 'node:net'
import { connect as connectTls, type TLSSocket } from 'node:tls'

/** What every HTTP/2 client says first: the preface, and empty SETTINGS. */
export const PREFACE = Buffer.concat([
  Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
  frame(4, 0, 0),
])

/** GET https://a/, in HPACK. */
export const GET = Buffer.from([0x82, 0x87, 0x84, 0x41, 1, 0x61])

export function frame(type: number, flags: number, id: number, payload = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(9)
  head.writeUIntBE(payload.length, 0, 3)
  head.writeUInt8(type, 3)
  head.writeUInt8(flags, 4)
  head.writeUInt32BE(id, 5)
  return Buffer.concat([head, payload])
}

export function framesOf(octets: Buffer): [type: number, payload: Buffer][] {
  const frames: [number, Buffer][] = []
  for (let at = 0; at + 9 <= octets.length;) {
    const end = at + 9 + octets.readUIntBE(at, 3)
    frames.push([octets[at + 3]!, octets.subarray(at + 9, end)])
    at = end
  }
  return frames
}

/** A user whose TLS agreed on HTTP/2, and who then writes what it likes. `halfOpen`: it closes its direction only when told to. */
export function rawHttp2(port: number, { halfOpen = false } = {}): TLSSocket {
  const tcp = connect({ port, host: '127.0.0.1', allowHalfOpen: halfOpen })
  const socket = connectTls({ socket: tcp, rejectUnauthorized: false, ALPNProtocols: ['h2'] })
  socket.allowHalfOpen = halfOpen
  return socket.on('error', () => undefined)
}
