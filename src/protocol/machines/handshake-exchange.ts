/**
 * One user connection that asks for another protocol: answered like any other request, or switched
 * and then a tunnel.
 *
 * What the user sends before anybody takes it is held: what came with its head, and at most one
 * read of the socket. Its end is held as well.
 *
 * @see RFC 9110 §7.8
 * @module
 */
import { joined } from '../wire/octets.ts'
import { ignored, Machine, misuse, type Saved, type Table } from './table.ts'

/**
 * - `asked`: nothing was answered
 * - `answered`: it stays HTTP; the connection ends with the answer, or serves other requests
 * - `switched`: the 101 is out; nobody takes the user's octets yet
 * - `carrying`: both directions are open, or at least the user's
 * - `ended`: the user's direction is closed, and that was told
 * - `gone`: the connection is over
 */
export type HandshakeExchangeState =
  'asked' | 'answered' | 'switched' | 'carrying' | 'ended' | 'gone'

/** `carry`: somebody takes the user's octets. `close`: the user closed its direction. */
// prettier-ignore
export const HANDSHAKE_EXCHANGE = {
  //         what is answered                                                           the tunnel                                           the user
  asked:    { inform: 'asked', respond: 'answered', switch: 'switched', carry: misuse,     write: misuse,     end: misuse,     data: 'asked',    close: 'asked',    leave: 'gone'  },
  answered: { inform: ignored, respond: ignored,    switch: ignored,    carry: misuse,     write: 'answered', end: 'answered', data: 'answered', close: 'answered', leave: 'gone'  },
  switched: { inform: ignored, respond: ignored,    switch: ignored,    carry: 'carrying', write: 'switched', end: 'switched', data: 'switched', close: 'switched', leave: 'gone'  },
  carrying: { inform: ignored, respond: ignored,    switch: ignored,    carry: misuse,     write: 'carrying', end: 'carrying', data: 'carrying', close: 'ended',    leave: 'gone'  },
  ended:    { inform: ignored, respond: ignored,    switch: ignored,    carry: misuse,     write: 'ended',    end: 'ended',    data: ignored,    close: ignored,    leave: 'gone'  },
  gone:     { inform: ignored, respond: ignored,    switch: ignored,    carry: ignored,    write: ignored,    end: ignored,    data: ignored,    close: ignored,    leave: ignored },
} as const satisfies Table<
  HandshakeExchangeState,
  'inform' | 'respond' | 'switch' | 'carry' | 'write' | 'end' | 'data' | 'close' | 'leave'
>

/** What is remembered of a handshake. */
export interface HandshakeExchangeMemory {
  /** What the user sent before anybody took it. */
  held: Uint8Array | null
  /** The user has closed its direction. */
  isClosed: boolean
}

/** All that is known of a handshake. */
export type SavedHandshakeExchange = Saved<HandshakeExchangeState, HandshakeExchangeMemory>

/** The order of one handshake; whoever owns the socket asks before each step. */
export class HandshakeOrder {
  readonly #memory: HandshakeExchangeMemory
  readonly #machine: Machine<
    HandshakeExchangeState,
    keyof typeof HANDSHAKE_EXCHANGE.asked,
    HandshakeExchangeMemory
  >

  /** @param rest what came with the request's head */
  constructor(rest: Uint8Array) {
    this.#memory = { held: rest.length > 0 ? rest : null, isClosed: false }
    this.#machine = new Machine(HANDSHAKE_EXCHANGE, 'asked' as HandshakeExchangeState, this.#memory)
  }

  get state(): HandshakeExchangeState {
    return this.#machine.state
  }

  /** Whether nothing more may be read for now. */
  get isHolding(): boolean {
    return this.#memory.held !== null
  }

  /** Whether the user has closed its direction of a tunnel, so that only ours is open. */
  get isHalfClosed(): boolean {
    const { state } = this.#machine
    const isTunnel = state === 'switched' || state === 'carrying' || state === 'ended'
    return isTunnel && this.#memory.isClosed
  }

  /** An interim answer. `false`: there is no place for one. */
  inform(): boolean {
    return this.#machine.step('inform')
  }

  /** An answer that stays HTTP is out. */
  respond(): boolean {
    return this.#machine.step('respond')
  }

  /** The 101 is out. */
  switch(): boolean {
    return this.#machine.step('switch')
  }

  /**
   * From here on octets are taken. What was held comes first, then perhaps the end; see {@link
   * HandshakeOrder.close}.
   *
   * @throws ApiMisuse before the 101, and a second time
   */
  carry(): Uint8Array | undefined {
    const { held } = this.#memory
    this.#memory.held = null
    return this.#machine.step('carry') && held !== null ? held : undefined
  }

  /** Octets to the user. `false`: nobody is there. */
  write(): boolean {
    return this.#machine.step('write')
  }

  /** The end of what the user gets. `false`: nobody is there. */
  end(): boolean {
    return this.#machine.step('end')
  }

  /** Octets of the user. `true`: they are the tunnel's; otherwise they are held, if they count. */
  data(bytes: Uint8Array): boolean {
    if (!this.#machine.step('data')) return false
    if (this.#machine.state === 'carrying') return true
    const memory = this.#memory
    memory.held = memory.held === null ? bytes : joined(memory.held, bytes)
    return false
  }

  /** The user closed its direction. `true`: tell it now; otherwise after `carry`. */
  close(): boolean {
    this.#memory.isClosed = true
    return this.#machine.step('close') && this.#machine.state === 'ended'
  }

  /** Whether the user's end came before anybody took its octets, and is to be told now. */
  closesNow(): boolean {
    return this.#memory.isClosed && this.close()
  }

  /** What came of the user and nobody took, for whoever serves the connection from here on. */
  rest(): Uint8Array | undefined {
    const { held } = this.#memory
    this.#memory.held = null
    return held ?? undefined
  }

  /** The connection is over. `false`: that was told. */
  leave(): boolean {
    return this.#machine.step('leave')
  }

  /** All that is known of it. */
  save(): SavedHandshakeExchange {
    return this.#machine.save()
  }

  /** Becomes the one that was saved. */
  restore(saved: SavedHandshakeExchange): void {
    this.#machine.restore(saved)
  }
}
