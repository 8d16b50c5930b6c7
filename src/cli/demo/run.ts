/**
 * The demo, as it is in the package: a process of its own, which is given the same options.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { constants } from 'node:os'
import { fileURLToPath } from 'node:url'
import { CommandFailed } from '../program/exit-codes.ts'
import type { Surroundings } from '../program/program.ts'
import { ownPackage } from '../program/version.ts'

/** Its programs are TypeScript. */
const LOADER = 'tsx'
/** What it runs on, beside this package. */
const NEEDED = [LOADER, 'lmdb', 'oidc-provider', 'ws', '@grpc/grpc-js', '@grpc/proto-loader']
const NEEDED_BY_SEVERAL = ['@nats-io/transport-node', '@nats-io/jetstream', '@nats-io/kv']

/** Resolves with the exit code of the demo. */
export async function runDemo(
  { instances = '1' }: { readonly instances?: string | undefined },
  { argv, signal }: Surroundings,
): Promise<number> {
  const { folder, versions } = ownPackage()
  const needed = instances === '1' ? NEEDED : [...NEEDED, ...NEEDED_BY_SEVERAL]
  const missing = needed.filter((name) => !isInstalled(name))
  if (missing.length > 0) {
    const wanted = missing.map((name) => (versions[name] ? `${name}@${versions[name]}` : name))
    const words = `packages that are not installed are needed for the demo: npm install ${wanted.join(' ')}`
    throw new CommandFailed('failed', words)
  }
  const file = (name: string) => new URL(`examples/${name}`, folder)
  // It ends with this process, however that ends.
  const imports = [import.meta.resolve(LOADER), file('demo/end-with-parent.ts').href]
  const child = spawn(
    process.execPath,
    [...imports.map((url) => `--import=${url}`), fileURLToPath(file('demo.ts')), ...argv],
    {
      stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
      // The commands that it tells are those of the package.
      env: { ...process.env, APP_PROXY_DEMO_OF: 'package' },
    },
  )
  const pass = () => void child.kill(signal.reason === 'SIGTERM' ? 'SIGTERM' : 'SIGINT')
  if (signal.aborted) pass()
  else signal.addEventListener('abort', pass, { once: true })
  const [code, by] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null]
  return code ?? 128 + constants.signals[by!]
}

function isInstalled(name: string): boolean {
  try {
    import.meta.resolve(name)
    return true
  } catch {
    return false
  }
}
