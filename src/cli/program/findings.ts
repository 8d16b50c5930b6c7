/**
 * What a check looked at, one thing after the other, and what is wrong with which.
 */
export interface Finding {
  /** What was looked at: `users.port`, `clock`, `application wiki`. */
  readonly what: string
  /** `skipped`: nothing could be said of it. */
  readonly result: 'good' | 'warning' | 'wrong' | 'skipped'
  /** What was found, and what is to be done about it. */
  readonly detail: string
}

const MARKS: Readonly<Record<Finding['result'], string>> = {
  good: 'ok  ',
  warning: 'warn',
  wrong: 'BAD ',
  skipped: '-   ',
}

/** Tells each finding when it is made, and at the end what comes first. */
export class Findings {
  readonly #all: Finding[] = []
  readonly #say: (line: string) => void
  readonly #isJson: boolean

  constructor(say: (line: string) => void, isJson: boolean) {
    this.#say = say
    this.#isJson = isJson
  }

  get firstWrong(): Finding | undefined {
    return this.#all.find(({ result }) => result === 'wrong')
  }

  good(what: string, detail: string): void {
    this.add({ what, result: 'good', detail })
  }

  warn(what: string, detail: string): void {
    this.add({ what, result: 'warning', detail })
  }

  wrong(what: string, detail: string): void {
    this.add({ what, result: 'wrong', detail })
  }

  skipped(what: string, detail: string): void {
    this.add({ what, result: 'skipped', detail })
  }

  /** The exit code. */
  end(): number {
    const first = this.firstWrong
    if (this.#isJson)
      this.#say(JSON.stringify({ isGood: first === undefined, first, findings: this.#all }))
    else this.#say(first === undefined ? 'nothing is wrong' : `\n${first.what}: ${first.detail}`)
    return first === undefined ? 0 : 1
  }

  add(finding: Finding): void {
    this.#all.push(finding)
    if (!this.#isJson) this.#say(`${MARKS[finding.result]} ${finding.what}: ${finding.detail}`)
  }
}
