import tseslint from 'typescript-eslint';

const clockRule = {
  'no-restricted-globals': ['error', ...['setTimeout', 'setInterval', 'performance'].map((name) => ({ name, message: 'Time comes from base/clock.' }))],
  'no-restricted-properties': ['error', { object: 'Date', property: 'now', message: 'Time comes from base/clock.' }],
};

export default tseslint.config(
  { ignores: ['dist/**', 'node_modules/**', 'data/**', 'test/.run/**', 'coverage/**'] },
  ...tseslint.configs.recommended,
  {
    files: ['src/**/*.ts'],
    rules: {
      ...clockRule,
      'max-params': ['error', 4],
      'no-restricted-syntax': [
        'error',
        { selector: 'ExportDefaultDeclaration', message: 'No default exports.' },
        { selector: "ThrowStatement > NewExpression[callee.name='Error']", message: 'Throw an error of the catalogue (base/errors.ts).' },
      ],
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/no-non-null-assertion': 'error',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
    },
  },
  { files: ['src/base/clock.ts', 'src/**/*.test.ts', 'src/testing/**', 'src/cli/**'], rules: { 'no-restricted-globals': 'off', 'no-restricted-properties': 'off' } },
  { files: ['**/*.test.ts', 'test/**', 'bench/**', 'scripts/**', 'bin/**', 'examples/**', 'console/**', '*.js', '*.cjs', '*.ts'], rules: { '@typescript-eslint/no-non-null-assertion': 'off', 'no-restricted-syntax': 'off', '@typescript-eslint/no-require-imports': 'off' } },
);
