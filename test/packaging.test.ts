/**
 * The package as it is packed: what is in it, whether its types resolve, and whether it works in an empty project.
 *
 * @module
 */
import { execFile, spawn, type ChildProcessWithoutNullStreams } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { request as httpRequest, type IncomingMessage } from 'node:http'
import { mkdtemp, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { publint } from 'publint'
import { formatMessage } from 'publint/utils'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import manifest from '../package.json' with { type: 'json' }
import { bundledBytes } from './bundle-size.ts'
import { changedGlobals } from './changed-globals.ts'
import { packedProject, type PackedProject } from './packed-project.ts'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const run = promisify(execFile)
const bin = (name: string) => join(ROOT, 'node_modules', '.bin', name)
const SUBPATHS = Object.keys(manifest.exports).filter((path) => !path.endsWith('.json'))
const specifier = (subpath: string) => join(manifest.name, subpath)

let packed: PackedProject
let tarball: string
let project: string

beforeAll(async () => {
  const nats = ['@nats-io/transport-node', '@nats-io/jetstream', '@nats-io/kv'] as const
  packed = await packedProject('lmdb', ...nats)
  tarball = packed.tarball
  project = packed.directory
}, 180_000)

afterAll(() => packed?.remove())

test('publint finds nothing', async () => {
  const pack = await readFile(tarball)
  const bytes = pack.buffer.slice(pack.byteOffset, pack.byteOffset + pack.byteLength)
  const { messages } = await publint({ pack: { tarball: bytes as ArrayBuffer }, strict: true })
  expect(messages.map((message) => formatMessage(message, manifest))).toEqual([])
})

test('are the types wrong? No', async () => {
  // Exits 1 and prints the problems when they are.
  const arguments_ = [tarball, '--profile', 'esm-only', '--format', 'json']
  const { stdout } = await run(bin('attw'), arguments_, { maxBuffer: 64 * 1024 * 1024 })
  const { analysis } = JSON.parse(stdout) as { analysis: { types: unknown } }
  // `false` would mean that there are no types at all, which is no problem to this tool.
  expect(analysis.types).toBeTypeOf('object')
}, 60_000)

test('has a license, and whatever its pages link to', async () => {
  const installed = join(project, 'node_modules', manifest.name)
  expect(await readFile(join(installed, 'LICENSE'), 'utf8')).toMatch(/^MIT License/)
  const files = await readdir(installed, { recursive: true })
  // The requirements lead to their tests, and the benchmark to its results: those are in the repository.
  const pages = files.filter(
    (path) => path.endsWith('.md') && !/node_modules|REQUIREMENTS|^bench/.test(path),
  )
  expect(pages).toEqual(expect.arrayContaining(['README.md', 'SECURITY.md', 'CHANGELOG.md']))
  for (const page of pages) {
    const text = await readFile(join(installed, page), 'utf8')
    for (const [, link] of text.matchAll(/\]\((?!\w+:|#)([^)#\s]+)/g))
      expect(existsSync(join(installed, page, '..', link!)), `${page} links to ${link}`).toBe(true)
  }
})

test('holds the build, its sources, the protocol, and no tests', async () => {
  const installed = join(project, 'node_modules', manifest.name)
  expect((await readdir(installed)).sort()).toEqual(
    expect.arrayContaining(['dist', 'package.json', 'spec', 'src']),
  )
  const files = await readdir(installed, { recursive: true })
  expect(files.filter((path) => /^test\/|^src\/.*\.test\.ts$/.test(path))).toEqual([])
})

test('every map leads to a source that is there', async () => {
  const installed = join(project, 'node_modules', manifest.name)
  const files = await readdir(join(installed, 'dist'), { recursive: true })
  const built = files.filter((path) => /\.js$|\.d\.ts$/.test(path))
  // By the names of their modules, so that messages of the compiler can be read.
  expect(built.filter((path) => /-[A-Z0-9]{8}\.d\.ts$/.test(path))).toEqual([])
  for (const path of built) {
    const map = join(installed, 'dist', `${path}.map`)
    const { sources } = JSON.parse(await readFile(map, 'utf8')) as { sources: string[] }
    const missing = sources.filter((source) => !existsSync(join(map, '..', source)))
    expect(missing, path).toEqual([])
  }
})

/** The subpaths that change globals, and which. */
const GLOBALS: readonly (readonly [subpaths: RegExp, paths: RegExp])[] = [
  // The certificate library brings `reflect-metadata`, and `tslib`, which leaves its helpers.
  [/cloud|connector/, /^Reflect\.|^__[a-z]\w+(?:\.|$)/i],
  // undici answers the runtime's `fetch` too, where nobody fetched before.
  [/connector\/node/, /^Symbol\(undici\.globalDispatcher\.\d\)$/],
]

describe.each(SUBPATHS)('%s', (subpath) => {
  test('imports', async () => {
    const program = `import * as exported from '${specifier(subpath)}'; console.log(Object.keys(exported).length)`
    const { stdout } = await run(process.execPath, ['--input-type=module', '-e', program], {
      cwd: project,
    })
    expect(Number(stdout)).toBeGreaterThan(0)
  })

  test('changes no global but as its documentation says', async () => {
    const told = GLOBALS.filter(([subpaths]) => subpaths.test(subpath)).map(([, paths]) => paths)
    const changed = await changedGlobals(specifier(subpath), project)
    expect(changed.filter((path) => !told.some((paths) => paths.test(path)))).toEqual([])
  })

  test('has no internal door', async () => {
    const inner = `${specifier(subpath)}/internal`
    const program = `await import('${inner}').catch((error) => console.log(error.code))`
    const { stdout } = await run(process.execPath, ['--input-type=module', '-e', program], {
      cwd: project,
    })
    expect(stdout.trim()).toBe('ERR_PACKAGE_PATH_NOT_EXPORTED')
  })
})

test('its program runs, helps, and says what is wrong in a line', async () => {
  const program = join(project, 'node_modules', '.bin', 'app-proxy')
  const asked = await run(program, ['--version'])
  expect(asked.stdout).toBe(`${manifest.version}\n`)
  const { stdout } = await run(program, ['help'])
  expect(stdout).toContain('app-proxy cloud run --config cloud/cloud.jsonc')
  const words = ['connector', 'run', '--url', 'x', '--state-dir', 'state']
  const wrong = await run(program, words, { cwd: project }).catch((error: unknown) => error)
  expect(wrong).toMatchObject({
    code: 2,
    stderr: `app-proxy connector run: --url: must be an https URL, such as https://cloud.example:8444 (is "x")\n`,
  })
  const demo = await run(program, ['demo'], { cwd: project }).catch((error: unknown) => error)
  const { tsx, 'oidc-provider': provider } = manifest.devDependencies
  expect(demo).toMatchObject({
    ...{ code: 1, stdout: '' },
    stderr: expect.stringMatching(
      `^app-proxy demo: packages that are not installed are needed for the demo: npm install tsx@${tsx} oidc-provider@${provider} .+\n$`,
    ),
  })
})

describe('in a browser', () => {
  const protocol = specifier('./protocol')

  test('the whole protocol is less than 40 KB', async () =>
    expect(await bundledBytes(protocol, '*', project)).toBeLessThan(40_000))

  test('the frame codec alone is less than 6.5 KB', async () => {
    const codec = ['FrameReader', 'encodeFrame', 'frameHeader', 'FrameType', 'FrameFlag']
    const small = ['encodeCredit', 'encodeReset', 'encodeStop', 'ResetCode']
    const { stdout } = await run(
      process.execPath,
      ['--input-type=module', '-e', `console.log(Object.keys(await import('${protocol}')).join())`],
      { cwd: project },
    )
    const read = stdout.split(',').filter((name) => /^decode(?!Message)/.test(name.trim()))
    expect(read.length).toBeGreaterThan(10)
    expect(await bundledBytes(protocol, [...codec, ...small, ...read], project)).toBeLessThan(6_500)
  })
})

test('every subpath type-checks', async () => {
  const imports = SUBPATHS.map(
    (subpath, i) => `import * as module${i} from '${specifier(subpath)}'\nvoid module${i}\n`,
  )
  await writeFile(join(project, 'all.ts'), imports.join(''))
  expect(await typeFaults('all.ts')).toBe('')
}, 60_000)

/** What the compiler, as strict as it can be, says of a file of the project. */
async function typeFaults(file: string): Promise<string> {
  const options = {
    compilerOptions: {
      strict: true,
      noUncheckedIndexedAccess: true,
      exactOptionalPropertyTypes: true,
      target: 'ES2023',
      // Stricter than its successors: what is CommonJS may not declare by what is not.
      module: 'Node16',
      lib: ['ES2023', 'DOM', 'DOM.Iterable'],
      types: ['node'],
      typeRoots: [join(ROOT, 'node_modules', '@types')],
      // Our own declarations are looked into as well.
      skipLibCheck: false,
      noEmit: true,
    },
    files: [file],
  }
  await writeFile(join(project, 'tsconfig.json'), JSON.stringify(options))
  const { stdout } = await run(bin('tsc'), ['-p', project], { cwd: project }).catch(
    (error: { stdout: string }) => error,
  )
  return stdout
}

describe('the example of the README', () => {
  const embedded = join(ROOT, 'examples', 'embed', 'readme.ts')

  test('is a file of the examples, letter for letter', async () => {
    const { code, language } = await embedExample()
    expect(language).toBe('ts')
    expect(code).toBe(await readFile(embedded, 'utf8'))
  })

  test('compiles strictly, runs as printed, and a request and a WebSocket pass', async () => {
    await writeFile(join(project, 'readme.ts'), (await embedExample()).code)
    expect(await typeFaults('readme.ts')).toBe('')
    const child = await runIn(await emptyFolder(), (await embedExample()).code)
    try {
      const { port } = new URL(await firstUrl(child))
      const headers = { host: 'wiki.localhost' }
      const to = { host: '127.0.0.1', port, headers }
      const [response] = (await once(httpRequest({ ...to, path: '/a' }).end(), 'response')) as [
        IncomingMessage,
      ]
      expect(await text(response)).toBe('Here is /a\n')
      const socket = new WebSocket(`ws://127.0.0.1:${port}/live`, { headers })
      const [greeting] = (await once(socket, 'message')) as [Buffer]
      expect(String(greeting)).toBe('hello')
      socket.terminate()
      // Under another name there is what was there before.
      const [other] = (await once(httpRequest({ ...to, headers: {} }).end(), 'response')) as [
        IncomingMessage,
      ]
      expect(await text(other)).toBe('The site that was here before.\n')
    } finally {
      child.kill()
      await once(child, 'exit')
    }
  }, 120_000)

  test('says what is wrong where its connector cannot reach the cloud', async () => {
    const { code } = await embedExample()
    const wrong = code.replace('url: connectorUrl,', "url: 'https://127.0.0.1:1',")
    expect(wrong).not.toBe(code)
    const child = await runIn(await emptyFolder(), wrong)
    try {
      for await (const line of createInterface(child.stderr))
        if (line.startsWith('Nothing accepts connections at 127.0.0.1:1. Check host and port'))
          return
      expect.fail('it ended, and said nothing of it')
    } finally {
      child.kill()
      await once(child, 'exit')
    }
  }, 60_000)
})

/** A folder in reach of the packed package, made a project by the README's first command. */
async function emptyFolder(): Promise<string> {
  const folder = await mkdtemp(join(project, 'folder-'))
  const [command] = (await markedBlock('embed-commands')).code.split('\n', 1)
  await run('sh', ['-c', command!], { cwd: folder })
  return folder
}

async function runIn(folder: string, code: string): Promise<ChildProcessWithoutNullStreams> {
  await writeFile(join(folder, 'readme.ts'), code)
  const loader = ['--import', import.meta.resolve('tsx')]
  return spawn(process.execPath, [...loader, 'readme.ts'], { cwd: folder })
}

const embedExample = () => markedBlock('embed-example')

/** The fenced block after its marker. */
async function markedBlock(marker: string): Promise<{ code: string; language: string }> {
  const readme = await readFile(join(ROOT, 'README.md'), 'utf8')
  const block = new RegExp(`<!-- ${marker} -->\\s*\`\`\`(\\w+)\\n([^]*?)\`\`\``).exec(readme)
  if (block === null) throw new Error(`README.md has no block marked <!-- ${marker} -->`)
  return { language: block[1]!, code: block[2]! }
}

/** The first URL that a program prints; what it printed instead, when it ends before. */
function firstUrl(child: ChildProcessWithoutNullStreams): Promise<string> {
  return new Promise((resolve, reject) => {
    let printed = ''
    const read = (chunk: Buffer) => {
      printed += chunk.toString()
      const url = /https?:\/\/[^\s'"]+/.exec(printed)?.[0]
      if (url !== undefined) resolve(url)
    }
    child.stdout.on('data', read)
    child.stderr.on('data', (chunk: Buffer) => (printed += chunk.toString()))
    child.once('exit', (code) => reject(new Error(`exit ${code}: ${printed}`)))
  })
}

test('the protocol bundle has nothing of the other rooms in it', async () => {
  const dist = join(project, 'node_modules', manifest.name, 'dist')
  const seen = await bundled(dist, 'protocol/index.js')
  const imports = [...seen.values()].flatMap(importsOf)
  const packages = new Set(imports.filter((path) => !path.startsWith('.')))
  expect([...packages].sort()).toEqual(['msgpackr/pack', 'valibot'])
  // Names that every one of these packages, or a binding of ours to Node, would bring along.
  for (const code of seen.values())
    expect(code).not.toMatch(/x509|undici|oauth4webapi|node:|reflect-metadata/)
})

/** A file of the bundle and all chunks it reaches, by path. */
async function bundled(
  dist: string,
  path: string,
  seen = new Map<string, string>(),
): Promise<ReadonlyMap<string, string>> {
  if (seen.has(path)) return seen
  const code = await readFile(join(dist, path), 'utf8')
  seen.set(path, code)
  for (const chunk of importsOf(code))
    if (chunk.startsWith('.')) await bundled(dist, join(path, '..', chunk), seen)
  return seen
}

function importsOf(code: string): string[] {
  return [...code.matchAll(/^\s*(?:import|export)\b[^'"]*?\bfrom\s*['"]([^'"]+)['"]/gm)].map(
    (match) => match[1]!,
  )
}
