import { Console } from '#components/Console.tsx';

export default function Page() {
  return <Console />;
}
