import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const PROGRAM = fileURLToPath(new URL('./operator.child.ts', import.meta.url))

/** Runs {@link PROGRAM}: another process than the cloud's, on its state directory. What came of the last order. */
export async function asOperator(
  stateDirectory: string,
  ...orders: readonly string[]
): Promise<unknown> {
  const { stdout } = await promisify(execFile)(process.execPath, [
    ...['--import', 'tsx', PROGRAM],
    ...[stateDirectory, ...orders],
  ])
  return JSON.parse(stdout)
}
