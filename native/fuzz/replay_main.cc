// Gives a fuzz target the files of the folders that are named, one after the other: what the fuzzer
// once found stays found, with any compiler. Ends with 1 where a folder holds nothing.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

std::vector<std::filesystem::path> FilesOf(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.is_regular_file()) files.push_back(entry.path());
  }
  std::ranges::sort(files);
  return files;
}

void Replay(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  // Exactly as large as the file, so that a sanitizer sees a byte read past its end.
  const std::vector<char> bytes{std::istreambuf_iterator<char>(file),
                                std::istreambuf_iterator<char>()};
  const std::vector<std::uint8_t> data(bytes.begin(), bytes.end());
  // Before it runs: a crash is then told by the last line.
  std::cout << path.filename().string() << " (" << data.size() << " bytes)" << std::endl;
  LLVMFuzzerTestOneInput(data.data(), data.size());
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::cerr << "usage: " << argv[0] << " FOLDER...\n";
    return 2;
  }
  for (int i = 1; i < argc; ++i) {
    const std::vector<std::filesystem::path> files = FilesOf(argv[i]);
    if (files.empty()) {
      std::cerr << argv[i] << ": no file to replay\n";
      return 1;
    }
    for (const std::filesystem::path& path : files) Replay(path);
  }
  return 0;
}
