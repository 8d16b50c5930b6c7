/** Waits for something that will be so; fails after `timeoutMs`. */
export async function until(
  condition: () => boolean | Promise<boolean>,
  timeoutMs = 10_000,
): Promise<void> {
  const end = performance.now() + timeoutMs
  while (!(await condition())) {
    if (performance.now() > end) throw new Error(`never came true: ${condition}`)
    await new Promise((later) => setTimeout(later, 10))
  }
}
