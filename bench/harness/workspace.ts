/**
 * What a run leaves behind is nothing: a temporary directory, and everything that must be ended, last started first.
 *
 * @module
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A place for a part of a run. Parts of parts end with the whole. */
export class Workspace {
  readonly directory: string
  readonly #endings: (() => Promise<void> | void)[] = []
  #closed: Promise<void> | undefined

  private constructor(directory: string) {
    this.directory = directory
  }

  static async open(): Promise<Workspace> {
    return new Workspace(await mkdtemp(join(tmpdir(), 'app-proxy-bench-')))
  }

  /** Whether the run is being ended: nothing that fails from now on means anything. */
  get isClosing(): boolean {
    return this.#closed !== undefined
  }

  /** A part of this one. */
  async part(): Promise<Workspace> {
    this.assertOpen()
    const part = await Workspace.open()
    this.onClose(() => part.close())
    return part
  }

  path(name: string): string {
    return join(this.directory, name)
  }

  /** What comes too late is ended at once. */
  onClose(ending: () => Promise<void> | void): void {
    if (this.isClosing) void ending()
    else this.#endings.push(ending)
  }

  assertOpen(): void {
    if (this.isClosing) throw new Error('interrupted')
  }

  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  async #close(): Promise<void> {
    for (const ending of this.#endings.reverse()) await ending()
    await rm(this.directory, { recursive: true, force: true })
  }
}

/** A port nobody listens on. Only for programs that cannot choose one themselves. */
export async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready))
  const { port } = server.address() as AddressInfo
  await new Promise((closed) => server.close(closed))
  return port
}
