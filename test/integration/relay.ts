import { createServer, connect, type AddressInfo, type Server, type Socket } from 'node:net'

/** A line between connector and cloud: it can be long, and it can go dead without a word. */
export class Relay {
  readonly #server: Server
  readonly #pairs = new Set<readonly [Socket, Socket]>()
  readonly #delayMs: number
  /** Octets on their way up, and the most there ever were. */
  #upwards = 0
  mostUpwards = 0
  /** Octets that were ever sent up. */
  allUpwards = 0

  /** @param delayMs each way */
  constructor(to: number, delayMs = 0) {
    this.#delayMs = delayMs
    this.#server = createServer((near) => {
      const far = connect(to, '127.0.0.1')
      const pair = [near, far] as const
      this.#pairs.add(pair)
      this.#carry(near, far, true)
      this.#carry(far, near, false)
      near.on('close', () => this.#pairs.delete(pair))
    })
  }

  async listen(): Promise<number> {
    await new Promise<void>((ready) => this.#server.listen(0, '127.0.0.1', ready))
    return (this.#server.address() as AddressInfo).port
  }

  /** From now on nothing passes on the lines there are, and nobody is told. New ones are as good as ever. */
  goDead(): void {
    for (const sockets of this.#pairs) for (const socket of sockets) socket.pause()
  }

  /** Breaks one line, at the end of the connector or at that of the cloud; the other end is told. */
  cut(random: () => number): void {
    const pair = [...this.#pairs][Math.floor(random() * this.#pairs.size)]
    const socket = pair?.[Math.floor(random() * 2)]
    if (random() < 0.5) socket?.resetAndDestroy()
    else socket?.destroy()
  }

  async close(): Promise<void> {
    for (const sockets of this.#pairs) for (const socket of sockets) socket.destroy()
    await new Promise((closed) => this.#server.close(closed))
  }

  #rising(octets: number): void {
    this.#upwards += octets
    this.mostUpwards = Math.max(this.mostUpwards, this.#upwards)
  }

  #carry(from: Socket, to: Socket, isUp: boolean): void {
    from.setNoDelay(true)
    from.on('data', (octets) => {
      if (isUp) this.allUpwards += octets.length
      if (this.#delayMs === 0) return void to.write(octets)
      if (isUp) this.#rising(octets.length)
      setTimeout(() => {
        if (isUp) this.#upwards -= octets.length
        if (!to.destroyed) to.write(octets)
      }, this.#delayMs)
    })
    from.on('error', () => undefined)
    from.on('close', () => setTimeout(() => to.destroy(), this.#delayMs))
  }
}
