export * from './key-ring-file.ts'
export * from './authority-files.ts'
