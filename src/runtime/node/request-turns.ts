/**
 * Whose turn it is on one connection of HTTP/1.1, where requests come before earlier ones are
 * answered (pipelining).
 *
 * Node answers in order, but hands every request over at once. Then the second PUT could run before
 * the first, and a `100 Continue` would be written into an answer that has begun.
 *
 * When a request begins, by the earlier ones that are not answered:
 *
 * - none; this one any: at once
 * - safe ones only, all of them begun; this one safe, without a body: at once; its answer waits
 * - any others; this one any: when all of them are answered
 * - any; this one not readable, an upgrade: when all of them are answered; no other begins
 *
 * @see RFC 9112 §9.3.2
 * @module
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { isReplayable } from '../../protocol/internal.ts'

/**
 * Requests behind an answer with which a connection is read no further; and with which it is cut:
 * Node may read one segment more for each answer.
 */
const MANY_BEHIND = 32
const MOST_BEHIND = 2_048

/** Calls `serve` when the request may begin; never, when its connection ends before. */
export function serveInTurn(
  request: IncomingMessage,
  response: ServerResponse,
  serve: () => void,
): void {
  // Node gave it the connection: nothing is before it.
  if (response.socket !== null) serve()
  else turnsOn(request.socket).add(request, response, serve)
}

/**
 * Calls `then` once all that came whole on a connection is answered, or when the turn of a request
 * has come whose body broke off. What comes behind does not begin. By then the connection may have
 * been closed behind an answer.
 */
export function whenAnswered(socket: Socket, then: () => void): void {
  if (answerOn(socket) === undefined) then()
  else turnsOn(socket).end(then)
}

/**
 * Whether an answer is under way on a connection; and if so, whether the user has seen some of it.
 * Node says it nowhere else.
 */
export function answerOn(socket: Duplex): ServerResponse | undefined {
  return (socket as { _httpMessage?: ServerResponse | null })._httpMessage ?? undefined
}

/**
 * Whether other requests came behind this answer's: it cannot be the last of its connection without
 * losing them.
 */
export function hasOthersBehind(response: ServerResponse): boolean {
  return TURNS.get(response.req.socket)?.hasBehind(response) === true
}

/**
 * Node takes its own listeners from a connection that it hands over, also where answers are still
 * under way.
 */
export function keepDraining(socket: Socket): void {
  const drained = (): void => void answerOn(socket)?.emit('drain')
  socket.on('drain', drained)
  whenAnswered(socket, () => socket.off('drain', drained))
}

const TURNS = new WeakMap<Socket, RequestTurns>()

function turnsOn(socket: Socket): RequestTurns {
  let turns = TURNS.get(socket)
  if (turns === undefined) TURNS.set(socket, (turns = new RequestTurns(socket)))
  return turns
}

/** A request that came behind others; `begin` while it waits. */
interface Behind {
  readonly response: ServerResponse
  begin: (() => void) | undefined
}

class RequestTurns {
  readonly #socket: Socket
  /** What came behind the answer under way, in order. */
  readonly #behind: Behind[] = []
  /** How many of them wait. */
  #waiting = 0
  /** What to do at the end of all; while there is something, nothing new begins. */
  #ends: (() => void)[] | undefined

  constructor(socket: Socket) {
    this.#socket = socket
  }

  add(request: IncomingMessage, response: ServerResponse, begin: () => void): void {
    if (this.#ends !== undefined) return
    const first = answerOn(this.#socket)!
    const mayBegin = this.#waiting === 0 && isSafe(first.req) && isSafe(request)
    this.#follow(this.#behind.at(-1)?.response ?? first)
    this.#behind.push({ response, begin: mayBegin ? undefined : begin })
    if (this.#behind.length > MOST_BEHIND) return void this.#socket.destroy()
    if (this.#behind.length >= MANY_BEHIND) this.#socket.pause()
    if (mayBegin) begin()
    else this.#waiting += 1
  }

  hasBehind(response: ServerResponse): boolean {
    if (this.#ends !== undefined) return true
    return this.#behind.length > 0 && this.#behind.at(-1)!.response !== response
  }

  end(then: () => void): void {
    if (this.#ends !== undefined) return void this.#ends.push(then)
    this.#ends = [then]
    const end = (): void => {
      TURNS.delete(this.#socket)
      for (const each of this.#ends!) each()
    }
    const last = this.#behind.at(-1)
    const { response } = last ?? { response: answerOn(this.#socket)! }
    if (response.req.complete) response.once('finish', end)
    else if (last === undefined) end()
    else last.begin = end
  }

  /** After an answer, Node's own listener has given the connection to the next. */
  #follow(before: ServerResponse): void {
    before.once('finish', () => {
      const next = this.#behind.shift()
      if (this.#behind.length < MANY_BEHIND && this.#socket.isPaused()) this.#socket.resume()
      if (next?.begin === undefined) return
      this.#waiting -= 1
      // Otherwise the connection closes behind the answer before it.
      if (next.response.socket !== null) next.begin()
    })
  }
}

/** Safe, and without a body that somebody must ask for. */
function isSafe({ method = '', headers }: IncomingMessage): boolean {
  const isBare =
    headers['transfer-encoding'] === undefined && headers['content-length'] === undefined
  return isBare && isReplayable({ method, body: { kind: 'none' }, upgrade: undefined })
}
