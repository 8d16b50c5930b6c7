/**
 * What went wrong, in lines for whoever runs the program.
 */
import {
  ConfigurationInvalid,
  mistakeLine,
  Refused,
  type ConfigurationMistake,
} from 'app-proxy/protocol'
import { CommandFailed, EXIT, type ExitCode, type ExitName } from './exit-codes.ts'

/** The lines of an error, and the exit code. `isVerbose`: with where in the program it happened. */
export function linesOf(error: unknown, isVerbose: boolean): Told {
  const { exit, lines } = toldOf(error)
  return { code: EXIT[exit], lines: [...lines, ...(isVerbose ? tracesOf(error) : [])] }
}

export interface Told {
  readonly code: ExitCode
  readonly lines: readonly string[]
}

function toldOf(error: unknown): { readonly exit: ExitName; readonly lines: readonly string[] } {
  if (error instanceof CommandFailed) return error
  if (error instanceof ConfigurationInvalid) {
    const exit = error.mistakes.some(isInFile) ? 'configuration' : 'usage'
    return { exit, lines: error.mistakes.map(mistakeLine) }
  }
  const words = systemWords(error)
  if (words !== undefined) return { exit: 'usage', lines: [words] }
  if (error instanceof Refused)
    return { exit: 'refused', lines: [`the cloud said no: ${error.message}`] }
  const missing = missingPackage(error)
  if (missing !== undefined) return { exit: 'failed', lines: [missing] }
  const what = error instanceof Error ? `${error.name}: ${error.message}` : 'failed'
  return { exit: 'failed', lines: [`${what.split('\n')[0]} (--verbose shows where)`] }
}

/** It is about what stands in a file, rather than about an option; a state file names itself. */
const isInFile = ({ file, path }: ConfigurationMistake) => file !== undefined || path.includes('/')

/** A package that not everybody needs, and that is installed beside this one. */
function missingPackage(error: unknown): string | undefined {
  const { code, message = '' } = (error ?? {}) as NodeJS.ErrnoException
  if (code !== 'ERR_MODULE_NOT_FOUND') return undefined
  const [, name] = /Cannot find package '([^']+)'/.exec(message) ?? []
  return name && `the package "${name}" is needed for this: npm install ${name}`
}

function tracesOf(error: unknown): readonly string[] {
  if (!(error instanceof Error)) return []
  return [error.stack ?? error.message, ...tracesOf(error.cause)]
}

/** What the system refused, and of which file. */
function systemWords(error: unknown): string | undefined {
  const { code, path } = (error ?? {}) as NodeJS.ErrnoException
  const words = code && SYSTEM[code]
  return words && path !== undefined ? `${path}: ${words}` : undefined
}

const SYSTEM: Readonly<Record<string, string>> = {
  EACCES: 'this process has no permission for it',
  EPERM: 'this process has no permission for it',
  EROFS: 'the file system takes no changes',
  ENOSPC: 'there is no space left for it',
  EDQUOT: 'there is no space left for it',
  ENOENT: 'there is no such file',
  ENOTDIR: 'is not below a directory',
  EISDIR: 'is a directory',
  EEXIST: 'is there already, and is something else',
  ENAMETOOLONG: 'its name is too long',
  EMFILE: 'this process has too many files open (ulimit -n)',
}

/**
 * Runs checks that do not need each other; gives what each gives.
 *
 * @throws ConfigurationInvalid with the mistakes of all of them
 */
export async function allOf<T extends readonly (() => unknown)[]>(
  ...checks: T
): Promise<{ -readonly [K in keyof T]: Awaited<ReturnType<T[K]>> }> {
  const mistakes: ConfigurationMistake[] = []
  const results: unknown[] = []
  for (const check of checks)
    try {
      results.push(await check())
    } catch (error) {
      if (!(error instanceof ConfigurationInvalid)) throw error
      mistakes.push(...error.mistakes)
    }
  if (mistakes.length > 0) throw new ConfigurationInvalid(mistakes)
  return results as { -readonly [K in keyof T]: Awaited<ReturnType<T[K]>> }
}

/** Where a setting stands: an option, or a place in a file. */
export interface Setting {
  readonly file?: string | undefined
  readonly path: string
}

/**
 * Does something with what a setting names, a file for example. What is wrong with that is told as
 * a mistake of the setting, with what it names.
 */
export async function named<T>(setting: Setting, work: () => T): Promise<Awaited<T>> {
  try {
    return await work()
  } catch (cause) {
    if (!(cause instanceof ConfigurationInvalid)) throw cause
    const mistakes = cause.mistakes.map(({ path, detail }) => ({
      ...{ ...setting, detail, value: JSON.stringify(path) },
    }))
    throw new ConfigurationInvalid(mistakes, { cause })
  }
}
