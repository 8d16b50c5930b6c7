/**
 * A decorator of a user's exchange says only what it changes: everything else is forwarded.
 *
 * @module
 */
import type { HeaderList, ResponseHead } from '../../protocol/internal.ts'
import type {
  BrokenOff,
  UserConnection,
  UserEvents,
  UserExchange,
  UserRequestHead,
} from './user-exchange.ts'

/**
 * Stands before a {@link UserExchange} and forwards every member, both ways.
 *
 * A subclass overrides what it wants to see or change, and calls `super` to let it pass. It counts
 * what passes, adds a field to the answer's head, or writes an event when the user is gone:
 *
 *     class Counted extends ForwardingUserExchange {
 *       bytes = 0
 *       override write(bytes: Uint8Array): boolean {
 *         this.bytes += bytes.length
 *         return super.write(bytes)
 *       }
 *     }
 *
 *     edge.handle(new Counted(user))
 *
 * @see {@link UserExchange} for what each member means
 */
export class ForwardingUserExchange implements UserExchange, UserEvents {
  /** The one that this one stands before. */
  protected readonly user: UserExchange
  #events: UserEvents | undefined

  constructor(user: UserExchange) {
    this.user = user
  }

  get head(): UserRequestHead {
    return this.user.head
  }

  get connection(): UserConnection | undefined {
    return this.user.connection
  }

  listen(events: UserEvents): void {
    this.#events = events
    this.user.listen(this)
  }

  // ── what the user's connection says ───────────────────────────────────────────────────────

  data(bytes: Uint8Array): void {
    this.#events!.data(bytes)
  }

  ended(trailers: HeaderList | undefined): void {
    this.#events!.ended(trailers)
  }

  drained(): void {
    this.#events!.drained()
  }

  gone(complete: boolean): void {
    this.#events!.gone(complete)
  }

  // ── what it is told ───────────────────────────────────────────────────────────────────────

  startBody(): void {
    this.user.startBody()
  }

  pauseBody(): void {
    this.user.pauseBody()
  }

  resumeBody(): void {
    this.user.resumeBody()
  }

  inform(head: ResponseHead): void {
    this.user.inform(head)
  }

  respond(head: ResponseHead, close: boolean): void {
    this.user.respond(head, close)
  }

  upgrade(head: ResponseHead): void {
    this.user.upgrade(head)
  }

  write(bytes: Uint8Array): boolean {
    return this.user.write(bytes)
  }

  end(trailers?: HeaderList): void {
    this.user.end(trailers)
  }

  requireHttp1(): boolean {
    return this.user.requireHttp1?.() ?? false
  }

  abort(why?: BrokenOff): void {
    this.user.abort(why)
  }
}
