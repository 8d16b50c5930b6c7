import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readFile, rename, rm, stat, truncate } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough, Writable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { teeAudit, type AuditEvent } from '../../../src/cloud/index.ts'
import { containedAudit } from '../../../src/cloud/audit/contained-audit.ts'
import { auditFile, auditStream, type AuditFile } from '../../../src/cloud/node/index.ts'
import { Containment, type PortFailure } from '../../../src/runtime/containment.ts'

const event = (requestId: string): AuditEvent => ({
  ...{ time: 0, type: 'edge.internal-error', outcome: 'failed', requestId },
})
let base: string
let path: string
let file: AuditFile
let told: PortFailure[]
const SOON = { timeout: 10_000 }

function opened(at: string, options = {}): void {
  file = auditFile(at, { retryMs: 20, ...options })
  // As a cloud does it, whatever it stands among.
  containedAudit(teeAudit(file), new Containment((failure) => told.push(failure)))
}
async function ids(at = path): Promise<string[]> {
  const text = await readFile(at, 'utf8').catch(() => '')
  const lines = text.split('\n').filter((line) => line !== '')
  return lines.map((line) => (JSON.parse(line) as { requestId: string }).requestId)
}
beforeEach(async () => {
  base = await mkdtemp(join(tmpdir(), 'app-proxy-'))
  path = join(base, 'audit.jsonl')
  told = []
})
afterEach(async () => {
  await file?.close()
  await rm(base, { recursive: true, force: true })
})

describe('an audit file', () => {
  test('is appended to, in order, and for its owner alone', async () => {
    opened(path)
    for (let i = 0; i < 2500; i++) file.write(event(`${i}`))
    await file.close()
    expect(await ids()).toEqual(Array.from({ length: 2500 }, (_, i) => `${i}`))
    expect((await stat(path)).mode & 0o777).toBe(0o600)
    file.write(event('after'))
    await file.flush()
    expect((await ids()).at(-1)).toBe('after')
    expect(told).toEqual([])
  })

  test('in a directory that is missing: it is told once, and goes on when it is there', async () => {
    const inside = join(base, 'later', 'audit.jsonl')
    opened(inside)
    for (const id of ['one', 'two']) {
      file.write(event(id))
      await file.flush()
    }
    expect(told).toMatchObject([{ port: 'audit.file', error: { code: 'ENOENT' }, contained: true }])
    await mkdir(join(base, 'later'))
    await expect.poll(() => ids(inside), SOON).toEqual(['one', 'two'])
    // It could be written, so it is told again.
    await rm(join(base, 'later'), { recursive: true })
    file.reopen()
    file.write(event('three'))
    await file.flush()
    expect(told).toHaveLength(2)
    expect(file.dropped).toBe(0)
  })

  test('on a full disk: no more than so many wait, and the process lives', async () => {
    opened('/dev/full', { limit: 3 })
    file.write(event('begun'))
    await file.flush()
    for (const id of ['1', '2', '3', '4', '5']) file.write(event(id))
    await file.flush()
    await file.flush()
    expect(told).toMatchObject([{ port: 'audit.file', error: { code: 'ENOSPC' } }])
    expect(file.dropped).toBe(2)
  })

  test.each(['a directory', 'below a file'])('that is %s is told', async (what) => {
    await mkdir(join(base, 'a'))
    opened(what === 'a directory' ? join(base, 'a') : '/dev/null/audit.jsonl')
    file.write(event('one'))
    await file.flush()
    expect(told).toHaveLength(1)
  })

  test.each(['renamed', 'removed'])('that is %s is opened anew', async (what) => {
    opened(path)
    file.write(event('before'))
    await file.flush()
    if (what === 'renamed') await rename(path, `${path}.1`)
    else await rm(path)
    await expect
      .poll(async () => {
        file.write(event('after'))
        await file.flush()
        return ids()
      }, SOON)
      .toContain('after')
    if (what === 'renamed') expect(await ids(`${path}.1`)).toContain('before')
  })

  test('is opened anew at once when it is told to be, and goes on where it is cut off', async () => {
    opened(path, { retryMs: 1_000_000 })
    file.write(event('before'))
    await file.flush()
    await rename(path, `${path}.1`)
    file.reopen()
    file.write(event('after'))
    await file.flush()
    expect([await ids(`${path}.1`), await ids()]).toEqual([['before'], ['after']])
    await truncate(path)
    file.write(event('copied and truncated'))
    await file.flush()
    expect(await ids()).toEqual(['copied and truncated'])
  })
})

describe('an audit stream', () => {
  test('whose reader went away is told once, and nothing is thrown', async () => {
    const broken = new Writable({ write: (_, __, done) => done(new Error('EPIPE')) })
    const sink = containedAudit(
      auditStream(broken),
      new Containment((failure) => told.push(failure)),
    )
    for (const id of ['1', '2', '3']) sink.write(event(id))
    await new Promise((later) => setTimeout(later, 5))
    sink.write(event('4'))
    await new Promise((later) => setTimeout(later, 5))
    expect(told.map(({ port }) => port)).toEqual(['audit.stream'])
  })

  test('that nobody reads is bounded', () => {
    const stream = new PassThrough()
    const sink = auditStream(stream)
    const large = 'x'.repeat(1024 * 1024)
    for (let i = 0; i < 40; i++) sink.write(event(large))
    expect(stream.writableLength).toBeLessThan(20 * 1024 * 1024)
  })

  test('of a process whose stdout and stderr are broken pipes does not end it', async () => {
    const module = new URL('../../../src/cloud/node/audit-file.ts', import.meta.url).href
    const script = `
      const { auditStream } = await import(${JSON.stringify(module)})
      const sinks = [auditStream(process.stdout), auditStream(process.stderr)]
      process.on('message', () => {
        for (const sink of sinks) sink.write({ time: 0, type: 'edge.internal-error', outcome: 'failed' })
        setTimeout(() => process.send('alive'), 50)
      })
      process.send('ready')`
    const child = spawn(
      process.execPath,
      ['--import', 'tsx', '--input-type=module', '-e', script],
      {
        cwd: fileURLToPath(new URL('../../..', import.meta.url)),
        stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      },
    )
    try {
      await once(child, 'message')
      child.stdout!.destroy()
      child.stderr!.destroy()
      for (let i = 0; i < 3; i++) {
        child.send('write')
        expect(await once(child, 'message')).toEqual(['alive', undefined])
      }
    } finally {
      child.kill('SIGKILL')
    }
  })
})
