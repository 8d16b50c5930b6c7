/**
 * The exit codes of `app-proxy`, and what ends a command with one that no setting is to blame for.
 */
export const EXIT = {
  good: 0,
  failed: 1,
  usage: 2,
  configuration: 3,
  refused: 4,
  unreachable: 5,
  interrupted: 130,
  terminated: 143,
} as const

export type ExitName = keyof typeof EXIT
export type ExitCode = (typeof EXIT)[ExitName]

/** What each says to whoever called the program. */
export const EXIT_TEXTS: Readonly<Record<ExitName, string>> = {
  good: 'it did what it was asked for; a server ended in order, at SIGINT or SIGTERM',
  failed: 'something went wrong, or a check found something wrong, that no option mends',
  usage: 'an option is missing, unknown or wrong, or names a file that cannot be used',
  configuration: 'what stands in a file is wrong; the place in it is told',
  refused: 'the cloud, or the issuer, answered and said no',
  unreachable: 'the cloud, the issuer or the broker could not be reached',
  interrupted: 'SIGINT ended it before it was done',
  terminated: 'SIGTERM ended it before it was done',
}

/** Ends a command: what is told, and the exit code. */
export class CommandFailed extends Error {
  override readonly name = 'CommandFailed'
  readonly exit: ExitName
  readonly lines: readonly string[]

  constructor(exit: ExitName, lines: string | readonly string[], options?: ErrorOptions) {
    const told = typeof lines === 'string' ? [lines] : lines
    super(told.join('\n'), options)
    this.exit = exit
    this.lines = told
  }
}

/** A signal came before the command was done. */
export function interrupted({ reason }: AbortSignal): CommandFailed {
  return reason === 'SIGTERM'
    ? new CommandFailed('terminated', 'ended by SIGTERM')
    : new CommandFailed('interrupted', 'interrupted')
}
