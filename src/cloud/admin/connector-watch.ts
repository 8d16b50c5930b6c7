/**
 * Connectors as they change, as an event stream. What is kept for a watcher is the tag of what it
 * was told last of each connector: whoever reads slowly is told less often, and what is latest.
 *
 * @see https://html.spec.whatwg.org/multipage/server-sent-events.html
 * @module
 */
import type { Clocks } from '../../runtime/clocks.ts'
import type { Timer } from '../../runtime/scheduler.ts'
import type { ConnectorRegistry } from '../connectors/connector-registry.ts'
import { contentVersion } from '../directory/content-version.ts'
import type { AdminCall } from './admin-routes.ts'
import type { AdminService, ConnectorChoice } from './admin-service.ts'
import type { ConnectorView } from './admin-views.ts'

export interface ConnectorWatchesOptions {
  readonly admin: Pick<AdminService, 'connectors'>
  readonly registry: Pick<ConnectorRegistry, 'onChange'>
  readonly clocks: Pick<Clocks, 'wallClock'>
  readonly timer: Timer
}

/** Watchers at once. */
const MOST = 32
/** How often it is looked, beside changes of the registry. Milliseconds. */
const LOOK_MS = 1_000
/** Nothing was said for so many looks: a comment, so that both ends know of each other. */
const QUIET_LOOKS = 15

/** All of one instance. */
export class ConnectorWatches {
  readonly #options: ConnectorWatchesOptions
  #open = 0

  constructor(options: ConnectorWatchesOptions) {
    this.#options = options
  }

  /** A watcher's stream; `undefined`: there are too many. */
  open(call: AdminCall): Response | undefined {
    if (this.#open >= MOST) return undefined
    this.#open += 1
    const watch = new ConnectorWatch(this.#options, call, () => (this.#open -= 1))
    return new Response(watch.stream, {
      headers: { 'content-type': 'text/event-stream', 'cache-control': 'no-store' },
    })
  }
}

class ConnectorWatch {
  readonly stream: ReadableStream<Uint8Array>
  readonly #options: ConnectorWatchesOptions
  readonly #call: AdminCall
  readonly #encoder = new TextEncoder()
  /** By connector id: the content that it was told of last. */
  readonly #told = new Map<string, string>()
  readonly #ended: () => void
  #controller!: ReadableStreamDefaultController<Uint8Array>
  #stops: readonly (() => void)[] = []
  #isFirst = true
  #isLooking = false
  #quiet = 0

  constructor(options: ConnectorWatchesOptions, call: AdminCall, ended: () => void) {
    this.#options = options
    this.#call = call
    this.#ended = ended
    this.stream = new ReadableStream<Uint8Array>({
      start: (controller) => {
        this.#controller = controller
        const look = () => void this.#look()
        this.#stops = [options.timer.every(LOOK_MS, look), options.registry.onChange(look)]
        look()
      },
      cancel: () => this.#end(),
    })
  }

  async #look(): Promise<void> {
    const { expiresAt = Infinity } = this.#call.caller
    if (this.#options.clocks.wallClock() >= expiresAt) return this.#close()
    // Whoever does not read is told nothing until it does.
    if (this.#isLooking || (this.#controller.desiredSize ?? 0) <= 0) return
    this.#isLooking = true
    try {
      const { caller, query } = this.#call
      this.#tell(await this.#options.admin.connectors(caller, query as ConnectorChoice))
    } catch {
      // It is told of where it failed; the watcher comes again.
      this.#close()
    } finally {
      this.#isLooking = false
    }
  }

  #tell(connectors: readonly ConnectorView[]): void {
    if (this.#stops.length === 0) return
    const changed = connectors.filter((connector) => {
      const content = contentVersion(steady(connector))
      const isNew = this.#told.get(connector.id) !== content
      this.#told.set(connector.id, content)
      return isNew
    })
    const there = new Set(connectors.map(({ id }) => id))
    const gone = [...this.#told.keys()].filter((id) => !there.has(id))
    for (const id of gone) this.#told.delete(id)
    if (this.#isFirst) this.#say(event('connectors', { items: connectors }))
    else
      this.#say(
        [
          ...changed.map((connector) => event('connector', connector)),
          ...gone.map((id) => event('gone', { id })),
        ].join(''),
      )
    this.#isFirst = false
  }

  #say(text: string): void {
    this.#quiet = text === '' ? this.#quiet + 1 : 0
    const comment = this.#quiet >= QUIET_LOOKS ? ': \n\n' : ''
    if (comment !== '') this.#quiet = 0
    if (text + comment !== '') this.#controller.enqueue(this.#encoder.encode(text + comment))
  }

  #close(): void {
    if (this.#stops.length === 0) return
    this.#end()
    this.#controller.close()
  }

  #end(): void {
    for (const stop of this.#stops) stop()
    if (this.#stops.length > 0) this.#ended()
    this.#stops = []
  }
}

/** Without what time alone changes. */
function steady({ lastSeenAt: _seen, applications, ...rest }: ConnectorView): object {
  return { ...rest, applications: applications.map(({ answeredAt: _at, ...one }) => one) }
}

function event(name: string, data: unknown): string {
  return `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`
}
